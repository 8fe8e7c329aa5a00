{{/* One trigger. Takes a dict: root, function, name (bare), fullname, trigger, filter (text of filter or filters). The
     bare name is part of the dead letter's address, whatever the release is called. */}}
{{- define "docuelevate.function.trigger" -}}
{{- $prefix := include "docuelevate.fullname" .root -}}
apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata:
  name: {{ .fullname }}
  labels:
    {{- include "docuelevate.labels" (dict "root" .root "component" .function) | nindent 4 }}
    docuelevate.org/trigger: {{ .name }}
  {{- with .annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  broker: {{ include "docuelevate.brokerName" .root }}
  {{- with .filter }}
  {{- . | nindent 2 }}
  {{- end }}
  subscriber:
    ref: {apiVersion: serving.knative.dev/v1, kind: Service, name: {{ $prefix }}-{{ .function }}}
  # A Trigger's delivery replaces the Broker's as a block, so it is complete.
  delivery:
    retry: {{ .trigger.delivery.retry }}
    backoffPolicy: {{ .trigger.delivery.backoffPolicy }}
    backoffDelay: {{ .trigger.delivery.backoffDelay }}
    timeout: {{ .trigger.delivery.timeout }}
    deadLetterSink:
      ref: {apiVersion: serving.knative.dev/v1, kind: Service, name: {{ $prefix }}-record}
      uri: /dead-letters/{{ .name }}
{{- end -}}
