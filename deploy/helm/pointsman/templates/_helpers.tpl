{{- define "pointsman.name" -}}
{{- .Release.Name | trunc 53 | trimSuffix "-" -}}
{{- end }}

{{- define "pointsman.selector" -}}
app.kubernetes.io/name: pointsman
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "pointsman.labels" -}}
{{ include "pointsman.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "pointsman.secret" -}}
{{- .Values.secrets.existing | default (include "pointsman.name" .) -}}
{{- end }}

{{- define "pointsman.policyConfigMap" -}}
{{- if .Values.existingPolicyConfigMap -}}
{{- .Values.existingPolicyConfigMap -}}
{{- else if .Values.policy -}}
{{- include "pointsman.name" . }}-policy
{{- end -}}
{{- end }}

{{- define "pointsman.plaintext" -}}
{{- if .Values.tls.secretName -}}
metrics
{{- else if .Values.plaintextBeyondLoopback -}}
metrics,rpc{{ if .Values.http.enabled }},http{{ end }}
{{- else -}}
{{- fail "tls.secretName is empty: name a Secret with tls.crt, tls.key and ca.crt, or set plaintextBeyondLoopback=true where the network is trusted" -}}
{{- end -}}
{{- end }}

{{/* Environment variables, from a map of values that win and are taken out of it, then names and values; nil: no such variable. */}}
{{- define "pointsman.env" -}}
{{- $left := first . -}}
{{- $lines := list -}}
{{- range chunk 2 (rest .) -}}
{{- $name := first . -}}
{{- $value := last . -}}
{{- if hasKey $left $name -}}{{- $value = get $left $name -}}{{- $_ := unset $left $name -}}{{- end -}}
{{- if not (kindIs "invalid" $value) -}}{{- $lines = append $lines (printf "- {name: %s, value: %q}" $name (toString $value)) -}}{{- end -}}
{{- end -}}
{{- join "\n" $lines -}}
{{- end }}

{{- define "pointsman.probe" -}}
exec:
  command: [pointsman, health, --address, "127.0.0.1:50052"{{ if .Values.tls.secretName }}, --ca, /etc/pointsman/tls/ca.crt, --server-name, {{ .Values.tls.serverName }}
    {{- if .Values.tls.clientCertificates }}, --cert, /etc/pointsman/tls/tls.crt, --key, /etc/pointsman/tls/tls.key{{ end }}{{ end }}]
{{- end }}
