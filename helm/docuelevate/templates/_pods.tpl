{{/* What every container of ours is allowed; Knative takes it without a feature flag. */}}
{{- define "docuelevate.containerSecurity" -}}
allowPrivilegeEscalation: false
capabilities:
  drop: [ALL]
readOnlyRootFilesystem: true
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "docuelevate.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{/* Fields of a pod outside Knative that come from values: who it is, what it may pull, where it runs.
     Takes a dict: root, unit. */}}
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
