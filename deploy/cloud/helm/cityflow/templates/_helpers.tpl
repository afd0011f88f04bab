{{- define "cityflow.labels" -}}
app.kubernetes.io/part-of: cityflow
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{ include "cityflow.selector" . }}
{{- end }}

{{- define "cityflow.selector" -}}
app.kubernetes.io/name: {{ .name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- end }}

{{/* The selector where YAML is written in one line. */}}
{{- define "cityflow.match" -}}
{{ include "cityflow.selector" . | fromYaml | toJson }}
{{- end }}

{{- define "cityflow.fullname" -}}
{{ printf "%s-%s" .root.Release.Name .name | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* What Pod Security "restricted" asks of a pod, and of each container. */}}
{{- define "cityflow.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ .uid }}
runAsGroup: {{ .uid }}
fsGroup: {{ .uid }}
seccompProfile: { type: RuntimeDefault }
{{- end }}
{{- define "cityflow.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end }}

{{- define "cityflow.env.database" -}}
- name: CITYFLOW_DATABASE_URL
  valueFrom: { secretKeyRef: { name: {{ .Values.database.secret.name }}, key: {{ .Values.database.secret.key }} } }
{{- end }}
{{- define "cityflow.env.redis" -}}
- name: CITYFLOW_REDIS_URL
  {{- if .Values.redis.secret.name }}
  valueFrom: { secretKeyRef: { name: {{ .Values.redis.secret.name }}, key: {{ .Values.redis.secret.key }} } }
  {{- else }}
  value: redis://{{ include "cityflow.fullname" (dict "root" . "name" "redis") }}:6379/0
  {{- end }}
{{- end }}

{{/*
The pod of one of our services. Alive is who answers /health; ready who misses nothing.
A lost database makes a pod unready, never restarted: a restart would not bring it back.
*/}}
{{- define "cityflow.pod" -}}
{{- $v := index .root.Values .name -}}
metadata:
  labels: {{- include "cityflow.labels" . | nindent 4 }}
spec:
  serviceAccountName: {{ include "cityflow.fullname" . }}
  automountServiceAccountToken: false
  # The variables that Kubernetes adds for services would begin as our settings do.
  enableServiceLinks: false
  {{- with .root.Values.imagePullSecrets }}
  imagePullSecrets: {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext: {{- include "cityflow.podSecurity" (dict "uid" 65532) | nindent 4 }}
  terminationGracePeriodSeconds: 60
  topologySpreadConstraints:
    {{- range $key := list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
    - maxSkew: 1
      topologyKey: {{ $key }}
      whenUnsatisfiable: ScheduleAnyway
      labelSelector: { matchLabels: {{ include "cityflow.match" $ }} }
    {{- end }}
  containers:
    - name: {{ .name }}
      image: {{ .root.Values.image.registry }}/{{ .name }}:{{ .root.Values.image.tag | default .root.Chart.AppVersion }}
      imagePullPolicy: {{ .root.Values.image.pullPolicy }}
      securityContext: {{- include "cityflow.containerSecurity" . | nindent 8 }}
      env:
        {{- include "cityflow.env.database" .root | nindent 8 }}
        {{- include "cityflow.env.redis" .root | nindent 8 }}
        {{- with .env }}{{ tpl . $.root | nindent 8 }}{{ end }}
      ports:
        - { name: metrics, containerPort: 9090 }
        {{- if eq .name "api" }}
        - { name: http, containerPort: 8080 }
        {{- end }}
      startupProbe:
        httpGet: { path: /health, port: metrics }
        periodSeconds: 2
        failureThreshold: 90
      livenessProbe:
        httpGet: { path: /health, port: metrics }
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 6
      readinessProbe:
        httpGet: { path: /readyz, port: metrics }
        periodSeconds: 5
        timeoutSeconds: 4
        failureThreshold: 3
      {{- if eq .name "api" }}
      # Gives the endpoints time to forget this pod before its listener closes.
      lifecycle: { preStop: { sleep: { seconds: 5 } } }
      {{- end }}
      resources: {{- toYaml $v.resources | nindent 8 }}
      {{- with .mounts }}
      volumeMounts: {{- toYaml . | nindent 8 }}
      {{- end }}
  {{- with .volumes }}
  volumes: {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
