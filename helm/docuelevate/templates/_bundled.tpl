{{/* Parts for trials, which belong to others: one Deployment of one pod with a volume that stays. */}}

{{/* A volume claim that outlives the release. Takes a dict: root, component, part (its values). */}}
{{- define "docuelevate.bundled.claim" -}}
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: {{ include "docuelevate.fullname" .root }}-{{ .component }}
  labels:
    {{- include "docuelevate.labels" (dict "root" .root "component" .component) | nindent 4 }}
  annotations:
    # What is in it stays when the release goes.
    helm.sh/resource-policy: keep
spec:
  accessModes: [ReadWriteOnce]
  {{- with .part.persistence.storageClass }}
  storageClassName: {{ . }}
  {{- end }}
  resources:
    requests:
      storage: {{ .part.persistence.size }}
{{- end -}}

{{/* The volume: the claim, one that was there before, or nothing lasting. Takes a dict: root, component, part. */}}
{{- define "docuelevate.bundled.volume" -}}
- name: data
{{- if .part.persistence.enabled }}
  persistentVolumeClaim:
    claimName: {{ .part.persistence.existingClaim | default (printf "%s-%s" (include "docuelevate.fullname" .root) .component) }}
{{- else }}
  emptyDir: {}
{{- end }}
{{- end -}}

{{/* The Service in front of it. Takes a dict: root, component, port. */}}
{{- define "docuelevate.bundled.service" -}}
apiVersion: v1
kind: Service
metadata:
  name: {{ include "docuelevate.fullname" .root }}-{{ .component }}
  labels:
    {{- include "docuelevate.labels" (dict "root" .root "component" .component) | nindent 4 }}
spec:
  selector:
    {{- include "docuelevate.selector" (dict "root" .root "component" .component) | nindent 4 }}
  ports:
    - name: http
      port: {{ .port }}
      targetPort: http
{{- end -}}

{{/* The Deployment up to its container's own lines. Takes a dict: root, component, part, user. */}}
{{- define "docuelevate.bundled.deployment" -}}
{{- $labels := dict "root" .root "component" .component -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "docuelevate.fullname" .root }}-{{ .component }}
  labels:
    {{- include "docuelevate.labels" $labels | nindent 4 }}
spec:
  replicas: 1
  strategy:
    type: {{ .strategy | default "Recreate" }}
  selector:
    matchLabels:
      {{- include "docuelevate.selector" $labels | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include "docuelevate.selector" $labels | nindent 8 }}
      {{- with .annotations }}
      annotations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
    spec:
      {{- include "docuelevate.podDefaults" (dict "root" .root "unit" .part "user" .user) | trim | nindent 6 }}
      containers:
        - name: {{ .component }}
          image: {{ printf "%s:%s" .part.image.repository .part.image.tag }}
          imagePullPolicy: {{ .root.Values.image.pullPolicy }}
          resources:
            {{- toYaml .part.resources | nindent 12 }}
          securityContext:
            {{- include "docuelevate.containerSecurity" (dict "user" .user) | nindent 12 }}
{{- end -}}
