{{/* What every container is allowed; Knative takes it without a feature flag. Takes a dict that may name a user; ours
     is 10001. */}}
{{- define "docuelevate.containerSecurity" -}}
allowPrivilegeEscalation: false
capabilities:
  drop: [ALL]
readOnlyRootFilesystem: true
runAsNonRoot: true
runAsUser: {{ .user | default 10001 }}
runAsGroup: {{ .user | default 10001 }}
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "docuelevate.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ .user | default 10001 }}
runAsGroup: {{ .user | default 10001 }}
fsGroup: {{ .user | default 10001 }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{/* Fields of a pod outside Knative that come from values: who it is, what it may pull, where it runs.
     Takes a dict: root, unit, and optionally user. */}}
{{- define "docuelevate.podDefaults" -}}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  {{- include "docuelevate.podSecurity" . | nindent 2 }}
{{- with .unit.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .unit.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .unit.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .unit.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end -}}


{{/* What every container of ours can write, and the certificates that it trusts. */}}
{{- define "docuelevate.mounts" -}}
- name: scratch
  mountPath: /tmp
{{- if .Values.trustedCertificates.configMap }}
- name: certificates
  mountPath: /etc/docuelevate/certificates
  readOnly: true
{{- end }}
{{- end -}}

{{- define "docuelevate.volumes" -}}
- name: scratch
  emptyDir: {}
{{- with .Values.trustedCertificates }}
{{- if .configMap }}
- name: certificates
  configMap:
    name: {{ .configMap }}
    items:
      - {key: {{ .key }}, path: ca.crt}
{{- end }}
{{- end }}
{{- end -}}
