{{- define "bylaw.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- /* Short enough for the endings that are put behind it. */ -}}
{{- define "bylaw.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 45 | trimSuffix "-" }}
{{- else if contains (include "bylaw.name" .) .Release.Name }}
{{- .Release.Name | trunc 45 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "bylaw.name" .) | trunc 45 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "bylaw.selectorLabels" -}}
app.kubernetes.io/name: {{ include "bylaw.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "bylaw.labels" -}}
{{- $own := include "bylaw.selectorLabels" . | fromYaml }}
{{- $own = merge $own (dict
      "app.kubernetes.io/version" (.Values.image.tag | default .Chart.AppVersion | trunc 63)
      "app.kubernetes.io/part-of" "bylaw"
      "app.kubernetes.io/managed-by" .Release.Service
      "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63)) .Values.commonLabels }}
{{- toYaml $own }}
{{- end }}

{{- define "bylaw.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- .Values.serviceAccount.name | default (include "bylaw.fullname" .) }}
{{- else }}
{{- required "`serviceAccount.name`: the name of the ServiceAccount that is there is expected, since `serviceAccount.create` is false" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "bylaw.image" -}}
{{- $tag := .Values.image.tag | default .Chart.AppVersion }}
{{- with .Values.image.digest }}
{{- printf "%s:%s@%s" $.Values.image.repository $tag . }}
{{- else }}
{{- printf "%s:%s" .Values.image.repository $tag }}
{{- end }}
{{- end }}

{{- define "bylaw.claimName" -}}
{{- .Values.persistence.existingClaim | default (printf "%s-state" (include "bylaw.fullname" .)) }}
{{- end }}

{{- /* Whether the claim can be mounted by one node only: then there is one Pod, and never two at once. */ -}}
{{- define "bylaw.mountedOnce" -}}
{{- if and .Values.persistence.enabled (not (has "ReadWriteMany" .Values.persistence.accessModes)) }}yes{{ end }}
{{- end }}

{{- /* Plurals of the kinds, as a JSON list, from the file that the types of the program generate. Without Approval: nobody
       but an approver writes those. Which: `all`, or `deletable`, those whose objects can opt in to deletion in AWS. */ -}}
{{- define "bylaw.plurals" -}}
{{- $out := list }}
{{- range (.root.Files.Get "generated/kinds.yaml" | fromYamlArray) }}
{{- if and (ne .plural "approvals") (or (eq $.which "all") .deletable) }}
{{- $out = append $out .plural }}
{{- end }}
{{- end }}
{{- toJson $out }}
{{- end }}
