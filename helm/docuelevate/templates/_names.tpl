{{/* Prefix of every name: the release's, with the chart's behind it unless it is in there. Short enough that Knative's
     own suffixes (-convert-00001-deployment) still make a name of a Kubernetes Service. */}}
{{- define "docuelevate.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 30 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 30 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 30 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Labels by which pods are selected. They never change, and neither does what a new Knative revision depends on.
     Takes a dict: root, component. */}}
{{- define "docuelevate.selector" -}}
app.kubernetes.io/name: docuelevate
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{/* Labels of objects (not of pods: a new chart version would start every pod anew). Takes a dict: root, component. */}}
{{- define "docuelevate.labels" -}}
{{ include "docuelevate.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "docuelevate.secretName" -}}
{{- default (printf "%s-secrets" (include "docuelevate.fullname" .)) .Values.existingSecret -}}
{{- end -}}

{{- define "docuelevate.configName" -}}
{{- include "docuelevate.fullname" . }}-config
{{- end -}}

{{- define "docuelevate.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "docuelevate.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "docuelevate.brokerName" -}}
{{- default (include "docuelevate.fullname" .) .Values.broker.name -}}
{{- end -}}

{{/* Where events are sent; each class of broker listens under an address of its own. */}}
{{- define "docuelevate.brokerUrl" -}}
{{- $broker := include "docuelevate.brokerName" . -}}
{{- $namespace := .Release.Namespace -}}
{{- $domain := .Values.clusterDomain -}}
{{- if .Values.broker.url -}}
{{- .Values.broker.url -}}
{{- else if eq .Values.broker.class "Kafka" -}}
{{- printf "http://kafka-broker-ingress.knative-eventing.svc.%s/%s/%s" $domain $namespace $broker -}}
{{- else if eq .Values.broker.class "KafkaNamespaced" -}}
{{- printf "http://kafka-broker-ingress.%s.svc.%s/%s/%s" $namespace $domain $namespace $broker -}}
{{- else if eq .Values.broker.class "RabbitMQBroker" -}}
{{- printf "http://%s-broker-ingress.%s.svc.%s" $broker $namespace $domain -}}
{{- else -}}
{{- printf "http://broker-ingress.knative-eventing.svc.%s/%s/%s" $domain $namespace $broker -}}
{{- end -}}
{{- end -}}

{{/* The image of a unit. Takes a dict: root, unit, image (the unit's own settings, may be empty). A digest is stronger
     than any tag. */}}
{{- define "docuelevate.image" -}}
{{- $image := .image | default dict -}}
{{- $repository := default (printf "%s-%s" .root.Values.image.repository .unit) $image.repository -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $repository $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $repository (default (default .root.Chart.AppVersion .root.Values.image.tag) $image.tag) -}}
{{- end -}}
{{- end -}}
