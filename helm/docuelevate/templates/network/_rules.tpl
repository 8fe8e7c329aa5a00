{{/* The port of an address. */}}
{{- define "docuelevate.network.port" -}}
{{- $host := regexReplaceAll "^[a-z0-9+]+://" . "" | splitList "/" | first | splitList "@" | last -}}
{{- $explicit := regexFind ":[0-9]+$" $host -}}
{{- if $explicit -}}
{{- trimPrefix ":" $explicit -}}
{{- else if hasPrefix "https://" . -}}443
{{- else if hasPrefix "postgres" . -}}5432
{{- else -}}80
{{- end -}}
{{- end -}}

{{/* Peers for namespaces by their names. */}}
{{- define "docuelevate.network.namespaces" -}}
- namespaceSelector:
    matchExpressions:
      - {key: kubernetes.io/metadata.name, operator: In, values: {{ toJson . }}}
{{- end -}}

{{/* A rule for our own pods of one component. Takes a dict: root, component, port. */}}
{{- define "docuelevate.network.own" -}}
- to:
    - podSelector:
        matchLabels:
          {{- include "docuelevate.selector" . | nindent 10 }}
  ports: [{protocol: TCP, port: {{ .port }}}]
{{- end -}}

{{/* A rule for one of the addresses of the values: the peers that are named for it, or its port anywhere. Takes a dict:
     peers, port. */}}
{{- define "docuelevate.network.address" -}}
- ports: [{protocol: TCP, port: {{ .port }}}]
  {{- with .peers }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}

{{/* Where one component may connect to. Takes a dict: root, to (list of names). */}}
{{- define "docuelevate.network.egress" -}}
{{- $root := .root -}}
{{- $env := include "docuelevate.configuration" $root | fromYaml -}}
{{- $policy := $root.Values.networkPolicy -}}
{{- $peers := $policy.destinations -}}
- ports:
    # Names are looked up wherever the cluster does that; some send the question on to another port.
    - {protocol: UDP, port: 53}
    - {protocol: TCP, port: 53}
    - {protocol: UDP, port: 5353}
    - {protocol: TCP, port: 5353}
{{- if hasKey $env "OTEL_EXPORTER_OTLP_ENDPOINT" }}
{{ include "docuelevate.network.address" (dict "peers" $peers.telemetry "port" (include "docuelevate.network.port" (get $env "OTEL_EXPORTER_OTLP_ENDPOINT"))) }}
{{- end }}
{{- range .to }}
{{- if eq . "objectStore" }}
{{- if $root.Values.objectStore.enabled }}
{{ include "docuelevate.network.own" (dict "root" $root "component" "objectstore" "port" 9000) }}
{{- else }}
{{ include "docuelevate.network.address" (dict "peers" $peers.objectStore "port" (include "docuelevate.network.port" (get $env "S3_ENDPOINT_URL" | default "https://"))) }}
{{- end }}
{{- else if eq . "database" }}
{{- $url := get (include "docuelevate.secrets" $root | fromYaml) "DATABASE_URL" | default (printf "postgresql://host:%v" $policy.databasePort) }}
{{- $url = first (splitList "?" $url) }}
{{ include "docuelevate.network.address" (dict "peers" $peers.database "port" (include "docuelevate.network.port" $url)) }}
{{- else if and (eq . "search") $root.Values.meilisearch.enabled }}
{{ include "docuelevate.network.own" (dict "root" $root "component" "meilisearch" "port" 7700) }}
{{- else if and (eq . "search") (hasKey $env "MEILISEARCH_URL") }}
{{ include "docuelevate.network.address" (dict "peers" $peers.search "port" (include "docuelevate.network.port" (get $env "MEILISEARCH_URL"))) }}
{{- else if and (eq . "gotenberg") $root.Values.gotenberg.enabled }}
{{ include "docuelevate.network.own" (dict "root" $root "component" "gotenberg" "port" 3000) }}
{{- else if and (eq . "gotenberg") (hasKey $env "GOTENBERG_URL") }}
{{ include "docuelevate.network.address" (dict "peers" $peers.gotenberg "port" (include "docuelevate.network.port" (get $env "GOTENBERG_URL"))) }}
{{- else if and (eq . "azure") (or (hasKey $env "AZURE_ENDPOINT") (hasKey $env "AZURE_REGION")) }}
{{ include "docuelevate.network.address" (dict "peers" $peers.azure "port" (include "docuelevate.network.port" (get $env "AZURE_ENDPOINT" | default "https://"))) }}
{{- else if and (eq . "openai") (eq (get $env "AI_PROVIDER") "openai") }}
{{ include "docuelevate.network.address" (dict "peers" $peers.openai "port" (include "docuelevate.network.port" (get $env "OPENAI_BASE_URL" | default "https://"))) }}
{{- else if and (eq . "sns") (hasKey $env "S3_SNS_TOPIC_ARNS") }}
{{- /* Its signatures are checked with Amazon's certificates. */}}
{{ include "docuelevate.network.address" (dict "port" 443) }}
{{- else if eq . "broker" }}
- to:
    {{- include "docuelevate.network.namespaces" $policy.knativeNamespaces | nindent 4 }}
    {{- if or (eq $root.Values.broker.class "KafkaNamespaced") (eq $root.Values.broker.class "RabbitMQBroker") }}
    # Its ingress runs in this namespace.
    - podSelector: {}
    {{- end }}
{{- else if eq . "functions" }}
- to:
    {{- include "docuelevate.network.namespaces" (concat $policy.knativeNamespaces $policy.gatewayNamespaces) | nindent 4 }}
{{- else if eq . "web" }}
{{ include "docuelevate.network.own" (dict "root" $root "component" "web" "port" 8000) }}
{{- end }}
{{- end }}
{{- with $policy.extraEgress }}
{{ toYaml . }}
{{- end }}
{{- end -}}
