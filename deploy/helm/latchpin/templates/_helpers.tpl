{{- define "latchpin.name" -}}
{{ .Release.Name | trunc 50 | trimSuffix "-" }}
{{- end }}

{{- define "latchpin.labels" -}}
app.kubernetes.io/name: latchpin
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "latchpin.selector" -}}
app.kubernetes.io/name: latchpin
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "latchpin.secret" -}}
{{ .Values.secrets.name | default (include "latchpin.name" .) }}
{{- end }}

{{- define "latchpin.serviceAccount" -}}
{{ .Values.serviceAccount.name | default (include "latchpin.name" .) }}
{{- end }}

{{/* The names of the settings that the Secret holds, one a line. */}}
{{- define "latchpin.secretKeys" -}}
{{- $keys := .Values.secrets.keys }}
{{- if not .Values.secrets.name }}{{ $keys = keys .Values.secrets.values | sortAlpha }}{{ end }}
{{- join "\n" $keys }}
{{- end }}

{{/* What the gateway's pods and the migration have in common. */}}
{{- define "latchpin.pod" -}}
automountServiceAccountToken: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{ toYaml . | nindent 2 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile: {type: RuntimeDefault}
volumes:
  - name: run
    emptyDir: {medium: Memory, sizeLimit: 64Mi}
  - name: tmp
    emptyDir: {sizeLimit: 64Mi}
  - name: secrets
    secret:
      secretName: {{ include "latchpin.secret" . }}
      defaultMode: 0440
{{- with .Values.nodeSelector }}
nodeSelector: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{ toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "latchpin.container" -}}
image: "{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}"
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
env:
  - {name: BASE_URL, value: {{ .Values.baseUrl | quote }}}
  - {name: WORKERS, value: {{ .Values.workers | quote }}}
  {{- range $name, $value := .Values.settings }}
  {{- /* Helm reads whole numbers as floating ones, and writes a large one as 1e+06. */}}
  {{- $text := ternary (printf "%.0f" (toString $value | float64)) (toString $value) (kindIs "float64" $value) }}
  - {name: {{ $name }}, value: {{ $text | quote }}}
  {{- end }}
  {{- range splitList "\n" (include "latchpin.secretKeys" .) }}
  - {name: {{ . }}_FILE, value: /run/secrets/{{ . }}}
  {{- end }}
volumeMounts:
  - {name: run, mountPath: /run/latchpin}
  - {name: tmp, mountPath: /tmp}
  - {name: secrets, mountPath: /run/secrets, readOnly: true}
{{- end }}
