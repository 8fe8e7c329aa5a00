{{/* The settings of web, with those that the chart's predecessor called api. */}}
{{- define "docuelevate.web" -}}
{{- toYaml (mergeOverwrite (deepCopy .Values.web) (deepCopy (.Values.api | default dict))) -}}
{{- end -}}
