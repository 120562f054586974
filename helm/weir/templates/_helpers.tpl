{{/* The name of everything: that of the release, without saying weir twice. */}}
{{- define "weir.name" -}}
{{- if contains "weir" .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{ else }}{{ printf "%s-weir" .Release.Name | trunc 40 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "weir.labels" -}}
app.kubernetes.io/name: weir
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end }}

{{- define "weir.selector" -}}
app.kubernetes.io/name: weir
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "weir.image" -}}
{{- with .Values.image }}{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}{{ end }}
{{- end }}

{{- define "weir.envoyImage" -}}
{{- with .Values.envoyImage }}{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag }}{{ end }}{{ end }}
{{- end }}

{{/* weir.yaml: what the chart knows, and over it what the values say. */}}
{{- define "weir.config" -}}
{{- $name := include "weir.name" . -}}
{{- $secrets := "/var/run/secrets/kubernetes.io/serviceaccount" -}}
{{- $host := .Values.listenHost -}}
{{- $processor := dict "listen" (printf "%s:9443" $host) -}}
{{- if .Values.gateway.enabled -}}
{{- /* Calls of weir's own: replays, and what a judge is asked. */ -}}
{{- $_ := set $processor "egress" (printf "http://%s-gateway.%s.svc:10000" $name .Release.Namespace) -}}
{{- end -}}
{{- $chart := dict
  "listen" (dict
    "egress" (printf "%s:10000" $host)
    "api" (printf "%s:8080" $host)
    "otlp_grpc" (printf "%s:4317" $host)
    "otlp_http" (printf "%s:4318" $host)
    "sidecars" (printf "%s:4319" $host))
  "processor" $processor
  "tls" (dict "cert_file" "/etc/weir/tls/tls.crt" "key_file" "/etc/weir/tls/tls.key")
  "workloads" (dict
    "cluster" .Values.clusterName
    "jwks" "https://kubernetes.default.svc/openid/v1/jwks"
    "ca_file" (printf "%s/ca.crt" $secrets)
    "token_file" (printf "%s/token" $secrets))
  "kubernetes" (dict
    "name" $name
    "namespace" .Release.Namespace
    "webhook" (printf "%s:10250" $host)
    "xds" (printf "%s:10251" $host)
    "health" (printf "%s:10252" $host)
    "image" (include "weir.image" .)
    "envoy_image" (include "weir.envoyImage" .)
    "pull_policy" .Values.image.pullPolicy
    "seal_key" (empty .Values.encryption.existingSecret))
-}}
{{- toYaml (mergeOverwrite $chart (deepCopy .Values.config)) -}}
{{- end }}

{{/* The environment: secrets by reference, and where the others are. */}}
{{- define "weir.env" -}}
{{- $name := include "weir.name" . -}}
- name: WEIR_CONFIG
  value: /etc/weir/config/weir.yaml
- name: WEIR_DATA
  value: /var/lib/weir
{{- if .Values.trial }}
- name: WEIR_POSTGRES_URL
  valueFrom: { secretKeyRef: { name: {{ $name }}-trial, key: postgres-url } }
- name: WEIR_REDIS_URL
  value: redis://{{ $name }}-valkey.{{ .Release.Namespace }}.svc:6379
{{- else }}
{{- if .Values.postgres.existingSecret }}
- name: WEIR_POSTGRES_URL
  valueFrom: { secretKeyRef: { name: {{ .Values.postgres.existingSecret }}, key: {{ .Values.postgres.key }} } }
{{- end }}
{{- if .Values.redis.existingSecret }}
- name: WEIR_REDIS_URL
  valueFrom: { secretKeyRef: { name: {{ .Values.redis.existingSecret }}, key: {{ .Values.redis.key }} } }
{{- end }}
{{- end }}
- name: WEIR_ENCRYPTION_KEYS
  valueFrom:
    secretKeyRef:
      name: {{ .Values.encryption.existingSecret | default (printf "%s-encryption" $name) }}
      key: {{ .Values.encryption.key }}
{{- range $provider, $secret := .Values.providerKeys }}
- name: WEIR_PROVIDERS_{{ $provider | upper | replace "-" "_" }}_API_KEY
  valueFrom: { secretKeyRef: { name: {{ $secret.existingSecret }}, key: {{ $secret.key }} } }
{{- end }}
{{- end }}

{{- define "weir.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile: { type: RuntimeDefault }
{{- end }}

{{- define "weir.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end }}

{{- define "weir.scheduling" -}}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector: { matchLabels: {{ include "weir.selector" . | fromYaml | toJson }} }
{{- end }}

{{- define "weir.podAnnotations" -}}
checksum/config: {{ include "weir.config" .root | sha256sum }}
{{- with .values.podAnnotations }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "weir.volumes" -}}
- name: config
  configMap: { name: {{ include "weir.name" . }} }
- name: tls
  secret:
    secretName: {{ include "weir.name" . }}-serving
    items: [{ key: tls.crt, path: tls.crt }, { key: tls.key, path: tls.key }, { key: ca.crt, path: ca.crt }]
- name: tmp
  emptyDir: {}
{{- end }}

{{- define "weir.mounts" -}}
- { name: config, mountPath: /etc/weir/config, readOnly: true }
- { name: tls, mountPath: /etc/weir/tls, readOnly: true }
- { name: tmp, mountPath: /tmp }
{{- end }}
