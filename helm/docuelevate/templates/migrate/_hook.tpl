{{/* Annotations of what the migration needs before anything else of the release exists. Takes a dict: weight, policy. */}}
{{- define "docuelevate.migrate.hook" -}}
helm.sh/hook: pre-install,pre-upgrade
helm.sh/hook-weight: {{ .weight | quote }}
helm.sh/hook-delete-policy: {{ .policy }}
{{- end -}}
