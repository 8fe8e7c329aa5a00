{{/* One function. Takes a dict: root, name, function. Only what Knative takes without feature flags: no security context
     of the pod, no placement. */}}
{{- define "docuelevate.function.service" -}}
{{- $labels := dict "root" .root "component" .name -}}
apiVersion: serving.knative.dev/v1
kind: Service
metadata:
  name: {{ include "docuelevate.fullname" .root }}-{{ .name }}
  labels:
    {{- include "docuelevate.labels" $labels | nindent 4 }}
    # Only the cluster's own programs reach it.
    networking.knative.dev/visibility: cluster-local
spec:
  template:
    metadata:
      labels:
        {{- include "docuelevate.selector" $labels | nindent 8 }}
      annotations:
        autoscaling.knative.dev/min-scale: {{ .function.minScale | toString | quote }}
        autoscaling.knative.dev/max-scale: {{ .function.maxScale | toString | quote }}
        autoscaling.knative.dev/scale-to-zero-pod-retention-period: {{ .function.retention | quote }}
        checksum/variables: {{ include "docuelevate.checksum" (dict "root" .root "unit" .name) }}
        {{- with .function.followedBy }}
        # One machine only: who works next, and is started as soon as this one is up.
        docuelevate.org/followed-by: {{ . }}
        {{- end }}
        {{- range $key, $value := .function.annotations }}
        {{ $key }}: {{ $value | toString | quote }}
        {{- end }}
    spec:
      serviceAccountName: {{ include "docuelevate.serviceAccountName" .root }}
      containerConcurrency: {{ .function.containerConcurrency }}
      # The step gives up at its own deadline, before Knative ends the request. The answer comes at the end, so the time
      # to its first byte needs the same limit (it would be 300 s otherwise).
      timeoutSeconds: {{ .function.timeoutSeconds }}
      responseStartTimeoutSeconds: {{ .function.responseStartTimeoutSeconds }}
      automountServiceAccountToken: false
      enableServiceLinks: false
      {{- with .root.Values.imagePullSecrets }}
      imagePullSecrets:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      containers:
        - name: {{ .name }}
          image: {{ include "docuelevate.image" (dict "root" .root "unit" .name "image" .function.image) }}
          imagePullPolicy: {{ .root.Values.image.pullPolicy }}
          env:
            {{- include "docuelevate.env" (dict "root" .root "unit" .name "own" .function.env) | trim | nindent 12 }}
          readinessProbe:
            httpGet:
              path: {{ .function.readinessPath }}
          resources:
            {{- toYaml .function.resources | nindent 12 }}
          securityContext:
            {{- include "docuelevate.containerSecurity" dict | nindent 12 }}
          volumeMounts:
            {{- include "docuelevate.mounts" .root | nindent 12 }}
      volumes:
        {{- include "docuelevate.volumes" .root | nindent 8 }}
{{- end -}}


{{/* Not empty if the function is needed: without search there is nothing to index. Takes a dict: root, name. */}}
{{- define "docuelevate.function.wanted" -}}
{{- if or (ne .name "index") (ne (include "docuelevate.text" .root.Values.env.ENABLE_SEARCH) "false") -}}yes{{- end -}}
{{- end -}}
