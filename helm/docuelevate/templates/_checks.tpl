{{/* What would not work is refused before anything is installed, all of it at once, each in a sentence. */}}
{{- define "docuelevate.checks" -}}
{{- $problems := concat
      (include "docuelevate.checks.former" . | fromJsonArray)
      (include "docuelevate.checks.names" . | fromJsonArray)
      (include "docuelevate.checks.secrets" . | fromJsonArray)
      (include "docuelevate.checks.providers" . | fromJsonArray)
      (include "docuelevate.checks.copies" . | fromJsonArray) -}}
{{- if $problems -}}
{{- fail (printf "\n\nThese values cannot work:\n- %s\n" (join "\n- " $problems)) -}}
{{- end -}}
{{- end -}}

{{/* Values of the chart's predecessor that have no counterpart. */}}
{{- define "docuelevate.checks.former" -}}
{{- $problems := list -}}
{{- $gone := dict
      "worker" "worker: there are no workers any more. Functions scale with the work, down to none; see functions.<name>.maxScale, .resources."
      "redis" "redis: there is no Redis any more. Events go through a Knative Broker; see broker."
      "externalRedis" "externalRedis: there is no Redis any more. Events go through a Knative Broker; see broker."
      "workdir" "workdir: there is no shared volume any more. Files are in object storage; see env.S3_ENDPOINT_URL, env.S3_BUCKET." -}}
{{- range $name, $sentence := $gone -}}
{{- if hasKey $.Values $name -}}
{{- $problems = append $problems $sentence -}}
{{- end -}}
{{- end -}}
{{- range $name := keys (.Values.api | default dict) | sortAlpha -}}
{{- if not (has $name (list "replicaCount" "autoscaling" "resources" "podAnnotations" "livenessProbe" "readinessProbe")) -}}
{{- $problems = append $problems (printf "api.%s: this part is called web now; see web in the chart's values." $name) -}}
{{- end -}}
{{- end -}}
{{- toJson $problems -}}
{{- end -}}

{{/* Variables that nothing reads, or that stand in the wrong place. */}}
{{- define "docuelevate.checks.names" -}}
{{- $problems := list -}}
{{- $variables := .Files.Get "files/variables.yaml" | fromYaml -}}
{{- $secrets := $variables.secrets -}}
{{- $known := list -}}
{{- range $unit, $names := $variables -}}
{{- $known = concat $known $names -}}
{{- end -}}
{{- $ours := list "DATA_DIR" "HOST" "PORT" -}}
{{- range $name := keys .Values.env | sortAlpha -}}
{{- if eq $name "WORKDIR" -}}
{{- $problems = append $problems "env.WORKDIR: there is no shared directory any more; files are in object storage (env.S3_ENDPOINT_URL, env.S3_BUCKET)." -}}
{{- else if has $name $ours -}}
{{- $problems = append $problems (printf "env.%s: the chart sets it itself." $name) -}}
{{- else if has $name $secrets -}}
{{- $problems = append $problems (printf "env.%s: this is a secret; set it under secrets, or in the existing Secret." $name) -}}
{{- else if not (has $name $known) -}}
{{- $problems = append $problems (printf "env.%s: nothing in a cluster reads this variable; see docs/configuration.md. Variables of other programs belong to extraEnv." $name) -}}
{{- end -}}
{{- end -}}
{{- range $name := keys .Values.secrets | sortAlpha -}}
{{- if and (get $.Values.secrets $name) (not (has $name $secrets)) -}}
{{- if has $name $known -}}
{{- $problems = append $problems (printf "secrets.%s: this is no secret; set it under env." $name) -}}
{{- else -}}
{{- $problems = append $problems (printf "secrets.%s: nothing reads this variable; see docs/configuration.md." $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $name := keys .Values.extraEnv | sortAlpha -}}
{{- if or (has $name $known) (has $name $ours) (hasPrefix "K_" $name) -}}
{{- $problems = append $problems (printf "extraEnv.%s: this is a variable of DocuElevate or Knative; it belongs to env or secrets, if anywhere." $name) -}}
{{- end -}}
{{- end -}}
{{- $units := dict "web" .Values.web "migrate" .Values.migrate "sweep" .Values.sweep -}}
{{- range $name, $function := .Values.functions -}}
{{- $_ := set $units (printf "functions.%s" $name) $function -}}
{{- end -}}
{{- range $unit, $settings := $units -}}
{{- range $name := keys ($settings.env | default dict) | sortAlpha -}}
{{- if has $name $secrets -}}
{{- $problems = append $problems (printf "%s.env.%s: this is a secret; set it under secrets, or in the existing Secret." $unit $name) -}}
{{- else if or (has $name $ours) (hasPrefix "K_" $name) -}}
{{- $problems = append $problems (printf "%s.env.%s: the chart or Knative sets it." $unit $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toJson $problems -}}
{{- end -}}

{{- define "docuelevate.checks.secrets" -}}
{{- $problems := list -}}
{{- $secrets := include "docuelevate.secrets" . | fromYaml -}}
{{- if .Values.existingSecret -}}
{{- if $secrets -}}
{{- $problems = append $problems "existingSecret and secrets are both set: everything has to be in one of them." -}}
{{- end -}}
{{- else -}}
{{- $database := get $secrets "DATABASE_URL" -}}
{{- if not $database -}}
{{- $problems = append $problems "secrets.DATABASE_URL is missing: the address of a PostgreSQL, such as postgresql://user:password@host:5432/docuelevate. Or name an existingSecret that has it." -}}
{{- else if hasPrefix "sqlite" $database -}}
{{- $problems = append $problems "secrets.DATABASE_URL: SQLite is a file of one machine; several pods need PostgreSQL." -}}
{{- else if not (regexMatch "^postgres(ql)?(\\+psycopg)?://." $database) -}}
{{- $problems = append $problems "secrets.DATABASE_URL: the address must begin with postgresql://." -}}
{{- end -}}
{{- if lt (len (get $secrets "SESSION_SECRET" | default "")) 32 -}}
{{- $problems = append $problems "secrets.SESSION_SECRET must have at least 32 characters, such as those of: openssl rand -hex 32" -}}
{{- end -}}
{{- if and .Values.serviceMonitor.enabled (not (hasKey $secrets "METRICS_TOKEN")) -}}
{{- $problems = append $problems "serviceMonitor.enabled needs secrets.METRICS_TOKEN, with which Prometheus asks." -}}
{{- end -}}
{{- if .Values.notifications.enabled -}}
{{- if not (hasKey $secrets "S3_WEBHOOK_TOKEN") -}}
{{- $problems = append $problems "notifications.enabled needs secrets.S3_WEBHOOK_TOKEN, with which the object store proves that it is the one that tells." -}}
{{- end -}}
{{- end -}}
{{- if and .Values.objectStore.enabled (not (hasKey $secrets "AWS_ACCESS_KEY_ID")) -}}
{{- $problems = append $problems "objectStore.enabled needs secrets.AWS_ACCESS_KEY_ID and secrets.AWS_SECRET_ACCESS_KEY (8 characters or more): the bundled server's own." -}}
{{- end -}}
{{- range $pair := list (list "AWS_ACCESS_KEY_ID" "AWS_SECRET_ACCESS_KEY") (list "GOTENBERG_USERNAME" "GOTENBERG_PASSWORD") -}}
{{- if ne (hasKey $secrets (first $pair)) (hasKey $secrets (last $pair)) -}}
{{- $problems = append $problems (printf "secrets.%s and secrets.%s go together." (first $pair) (last $pair)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toJson $problems -}}
{{- end -}}

{{- define "docuelevate.checks.providers" -}}
{{- $problems := list -}}
{{- $env := include "docuelevate.configuration" . | fromYaml -}}
{{- $secrets := include "docuelevate.secrets" . | fromYaml -}}
{{- if ne (get $env "AUTH_ENABLED" | lower) "true" -}}
{{- $problems = append $problems "env.AUTH_ENABLED must be \"true\": the server listens on all addresses and refuses to start without." -}}
{{- end -}}
{{- if ne (get $env "OBJECT_STORE") "s3" -}}
{{- $problems = append $problems "env.OBJECT_STORE must be s3: a directory would be another one in each pod." -}}
{{- else if not (or (hasKey $env "S3_ENDPOINT_URL") (hasKey $env "AWS_REGION")) -}}
{{- $problems = append $problems "Nothing says where the objects are: set env.S3_ENDPOINT_URL, or env.AWS_REGION for Amazon S3, or objectStore.enabled=true for a trial." -}}
{{- end -}}
{{- if eq (get $env "SEARCH_PROVIDER") "embedded" -}}
{{- $problems = append $problems "env.SEARCH_PROVIDER: the embedded index is a directory of one machine; several pods need Meilisearch (env.MEILISEARCH_URL)." -}}
{{- else if and (ne (get $env "ENABLE_SEARCH" | lower) "false") (not (hasKey $env "MEILISEARCH_URL")) -}}
{{- $problems = append $problems "Search needs a Meilisearch: set env.MEILISEARCH_URL, or meilisearch.enabled=true for a trial, or env.ENABLE_SEARCH=\"false\"." -}}
{{- end -}}
{{- if and (eq (get $env "CONVERTER") "gotenberg") (not (hasKey $env "GOTENBERG_URL")) -}}
{{- $problems = append $problems "env.CONVERTER=gotenberg needs env.GOTENBERG_URL, or gotenberg.enabled=true." -}}
{{- end -}}
{{- if eq (get $env "OCR_PROVIDER") "azure" -}}
{{- if not (or (hasKey $env "AZURE_ENDPOINT") (hasKey $env "AZURE_REGION")) -}}
{{- $problems = append $problems "env.OCR_PROVIDER=azure needs env.AZURE_ENDPOINT or env.AZURE_REGION." -}}
{{- end -}}
{{- if not (or .Values.existingSecret (hasKey $secrets "AZURE_AI_KEY")) -}}
{{- $problems = append $problems "env.OCR_PROVIDER=azure needs secrets.AZURE_AI_KEY." -}}
{{- end -}}
{{- end -}}
{{- if and (eq (get $env "AI_PROVIDER") "openai") (not (or .Values.existingSecret (hasKey $secrets "OPENAI_API_KEY") (hasKey $env "OPENAI_BASE_URL"))) -}}
{{- $problems = append $problems "env.AI_PROVIDER=openai needs secrets.OPENAI_API_KEY, or env.OPENAI_BASE_URL of a server that asks for none." -}}
{{- end -}}
{{- if and (eq .Values.broker.class "RabbitMQBroker") .Values.broker.create (not .Values.broker.config.name) -}}
{{- $problems = append $problems "broker.config: a RabbitMQ Broker needs a RabbitmqBrokerConfig, as broker.config: {apiVersion: eventing.knative.dev/v1alpha1, kind: RabbitmqBrokerConfig, name: …}." -}}
{{- end -}}
{{- if and (not .Values.broker.create) (not .Values.broker.name) -}}
{{- $problems = append $problems "broker.create=false needs broker.name, the Broker that is there already." -}}
{{- end -}}
{{- if and .Values.objectStore.enabled (not .Values.notifications.enabled) -}}
{{- $problems = append $problems "objectStore.enabled needs notifications.enabled=true, which makes its bucket." -}}
{{- end -}}
{{- if and .Values.ingress.enabled (not .Values.ingress.hosts) -}}
{{- $problems = append $problems "ingress.enabled needs ingress.hosts." -}}
{{- end -}}
{{- toJson $problems -}}
{{- end -}}

{{/* With an object store that lets two writers create the same object, keys are looked at before they are written, which is
     enough for one pod of everything only. */}}
{{- define "docuelevate.checks.copies" -}}
{{- $problems := list -}}
{{- $env := include "docuelevate.configuration" . | fromYaml -}}
{{- $web := include "docuelevate.web" . | fromYaml -}}
{{- if ne (get $env "REQUIRE_CONDITIONAL_WRITES" | lower) "true" -}}
{{- range $name, $function := .Values.functions -}}
{{- if or (ne (int $function.maxScale) 1) (ne (int $function.containerConcurrency) 1) -}}
{{- $problems = append $problems (printf "env.REQUIRE_CONDITIONAL_WRITES is not \"true\": then functions.%s needs maxScale: 1 and containerConcurrency: 1." $name) -}}
{{- end -}}
{{- end -}}
{{- if or (ne (int $web.replicaCount) 1) $web.autoscaling.enabled -}}
{{- $problems = append $problems "env.REQUIRE_CONDITIONAL_WRITES is not \"true\": then web needs replicaCount: 1 and no autoscaling." -}}
{{- end -}}
{{- end -}}
{{- toJson $problems -}}
{{- end -}}
