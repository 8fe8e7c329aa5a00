{{/* What a unit is told: of all variables only those that its code declares (files/variables.yaml), so that convert, ocr
     and enrich never see the database's address, and enrich alone sees the key of the language model. */}}

{{/* A value as text: Helm reads whole numbers as floating ones and would write 1.073741824e+09. */}}
{{- define "docuelevate.text" -}}
{{- if kindIs "float64" . -}}
{{- if eq . (float64 (int64 .)) -}}{{- int64 . -}}{{- else -}}{{- . -}}{{- end -}}
{{- else if or (kindIs "map" .) (kindIs "slice" .) -}}
{{- toJson . -}}
{{- else -}}
{{- . -}}
{{- end -}}
{{- end -}}

{{/* Every variable that is no secret, with what the chart itself knows, as YAML. */}}
{{- define "docuelevate.configuration" -}}
{{- $found := dict "BROKER_URL" (include "docuelevate.brokerUrl" .) -}}
{{- $_ := set $found "CONVERT_URL" (printf "http://%s-convert.%s.svc.%s" (include "docuelevate.fullname" .) .Release.Namespace .Values.clusterDomain) -}}
{{- if and .Values.ingress.enabled .Values.ingress.hosts -}}
{{- $_ := set $found "EXTERNAL_HOSTNAME" (index .Values.ingress.hosts 0).host -}}
{{- end -}}
{{- if .Values.gotenberg.enabled -}}
{{- $_ := set $found "CONVERTER" "gotenberg" -}}
{{- $_ := set $found "GOTENBERG_URL" (printf "http://%s-gotenberg:3000" (include "docuelevate.fullname" .)) -}}
{{- end -}}
{{- if .Values.meilisearch.enabled -}}
{{- $_ := set $found "MEILISEARCH_URL" (printf "http://%s-meilisearch:7700" (include "docuelevate.fullname" .)) -}}
{{- end -}}
{{- if .Values.objectStore.enabled -}}
{{- $_ := set $found "S3_ENDPOINT_URL" (printf "http://%s-objectstore:9000" (include "docuelevate.fullname" .)) -}}
{{- end -}}
{{- range $name, $value := .Values.env -}}
{{- $text := include "docuelevate.text" $value -}}
{{- if and (not (kindIs "invalid" $value)) (ne $text "") -}}
{{- $_ := set $found $name $text -}}
{{- end -}}
{{- end -}}
{{- toYaml $found -}}
{{- end -}}

{{/* The secrets of the values that are not empty, as YAML. */}}
{{- define "docuelevate.secrets" -}}
{{- $found := dict -}}
{{- range $name, $value := .Values.secrets -}}
{{- if $value -}}
{{- $_ := set $found $name (include "docuelevate.text" $value) -}}
{{- end -}}
{{- end -}}
{{- toYaml $found -}}
{{- end -}}

{{/* The env list of a unit. Takes a dict: root, unit, own (name to value, stronger than everything else), and optionally
     secret (name of the Secret) and plain (write values out instead of referring to the ConfigMap). */}}
{{- define "docuelevate.env" -}}
{{- $root := .root -}}
{{- $variables := $root.Files.Get "files/variables.yaml" | fromYaml -}}
{{- $configuration := include "docuelevate.configuration" $root | fromYaml -}}
{{- $own := merge (dict) (.own | default dict) $root.Values.extraEnv -}}
{{- if $root.Values.trustedCertificates.configMap -}}
{{- range list "SSL_CERT_FILE" "REQUESTS_CA_BUNDLE" "AWS_CA_BUNDLE" -}}
{{- $_ := set $own . "/etc/docuelevate/certificates/ca.crt" -}}
{{- end -}}
{{- end -}}
{{- $secret := default (include "docuelevate.secretName" $root) .secret -}}
{{- $plain := .plain -}}
{{- range index $variables .unit }}
{{- if hasKey $own . }}
{{- else if has . $variables.secrets }}
- name: {{ . }}
  valueFrom: {secretKeyRef: {name: {{ $secret }}, key: {{ . }}, optional: true}}
{{- else if not $plain }}
- name: {{ . }}
  valueFrom: {configMapKeyRef: {name: {{ include "docuelevate.configName" $root }}, key: {{ . }}, optional: true}}
{{- else if hasKey $configuration . }}
- name: {{ . }}
  value: {{ get $configuration . | quote }}
{{- end }}
{{- end }}
{{- range $name, $value := $own }}
- name: {{ $name }}
  value: {{ include "docuelevate.text" $value | quote }}
{{- end }}
{{- end -}}

{{/* A digest of all that a unit is told by ConfigMap and Secret: pods start anew when, and only when, theirs changes.
     Where secrets are in it, so is the session secret, which nobody can guess: a digest of a short password alone could be
     tried out. Takes a dict: root, unit. */}}
{{- define "docuelevate.checksum" -}}
{{- $variables := .root.Files.Get "files/variables.yaml" | fromYaml -}}
{{- $configuration := include "docuelevate.configuration" .root | fromYaml -}}
{{- $secrets := include "docuelevate.secrets" .root | fromYaml -}}
{{- $told := dict "revision" .root.Values.secretsRevision -}}
{{- range index $variables .unit -}}
{{- if hasKey $configuration . -}}
{{- $_ := set $told . (get $configuration .) -}}
{{- else if hasKey $secrets . -}}
{{- $_ := set $told . (get $secrets .) -}}
{{- $_ := set $told "SESSION_SECRET" (get $secrets "SESSION_SECRET") -}}
{{- end -}}
{{- end -}}
{{- $told | toJson | sha256sum -}}
{{- end -}}
