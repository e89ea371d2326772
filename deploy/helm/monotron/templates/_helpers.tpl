{{- define "monotron.name" -}}
{{- $name := ternary .Release.Name (printf "%s-monotron" .Release.Name) (contains "monotron" .Release.Name) -}}
{{- $name | trunc 50 | trimSuffix "-" -}}
{{- end }}

{{- define "monotron.version" -}}
{{- .Values.image.tag | default .Chart.AppVersion -}}
{{- end }}

{{- define "monotron.image" -}}
{{ .Values.image.repository }}:{{ include "monotron.version" . }}
{{- end }}

{{/* With (list $ "node"), "replica", "init" or "etcd": the Service selects one of them, so that it never leads to two stores. */}}
{{- define "monotron.selector" -}}
app.kubernetes.io/name: monotron
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{- define "monotron.labels" -}}
{{ include "monotron.selector" . }}
app.kubernetes.io/managed-by: {{ (index . 0).Release.Service }}
helm.sh/chart: {{ (index . 0).Chart.Name }}-{{ (index . 0).Chart.Version }}
{{- end }}

{{- define "monotron.component" -}}
{{ ternary "replica" "node" .Values.etcd.enabled }}
{{- end }}

{{/* Whether the etcd belongs to this release: a text that is empty if not. */}}
{{- define "monotron.ownEtcd" -}}
{{- if and .Values.etcd.enabled (not .Values.etcd.address) }}yes{{ end -}}
{{- end }}

{{/* The hosts of its members, with a comma between them. Three: another number means a change of a running etcd, which no chart can do. */}}
{{- define "monotron.members" -}}
{{- $name := include "monotron.name" . -}}
{{- range $number := until 3 }}{{ if $number }},{{ end }}{{ $name }}-etcd-{{ $number }}.{{ $name }}-etcd{{ end -}}
{{- end }}

{{- define "monotron.store" -}}
{{- if .Values.etcd.address -}}
{{ .Values.etcd.address }}
{{- else -}}
etcd://{{ include "monotron.members" . | replace "," ":2379," }}:2379
{{- end }}
{{- end }}

{{/* What every process that opens the store in etcd needs. */}}
{{- define "monotron.storeEnv" -}}
- name: MONOTRON_STORE
  value: {{ include "monotron.store" . | quote }}
{{- if .Values.etcd.tlsSecret }}
- name: MONOTRON_STORE_CA
  value: /run/secrets/etcd-tls/ca.crt
{{- if .Values.etcd.clientCertificate }}
- name: MONOTRON_STORE_CERTIFICATE
  value: /run/secrets/etcd-tls/tls.crt
- name: MONOTRON_STORE_KEY
  value: /run/secrets/etcd-tls/tls.key
{{- end }}
{{- end }}
{{- if .Values.etcd.passwordSecret }}
- name: MONOTRON_STORE_PASSWORD_FILE
  value: /run/secrets/etcd-password/password
{{- end }}
{{- end }}

{{- define "monotron.storeMounts" -}}
{{- if .Values.etcd.tlsSecret }}
- name: etcd-tls
  mountPath: /run/secrets/etcd-tls
  readOnly: true
{{- end }}
{{- if .Values.etcd.passwordSecret }}
- name: etcd-password
  mountPath: /run/secrets/etcd-password
  readOnly: true
{{- end }}
{{- end }}

{{- define "monotron.storeVolumes" -}}
{{- if .Values.etcd.tlsSecret }}
- name: etcd-tls
  secret:
    secretName: {{ .Values.etcd.tlsSecret }}
    defaultMode: 0440
{{- end }}
{{- if .Values.etcd.passwordSecret }}
- name: etcd-password
  secret:
    secretName: {{ .Values.etcd.passwordSecret }}
    defaultMode: 0440
{{- end }}
{{- end }}

{{- define "monotron.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{/* What all pods have in common. The variables of services would land where settings are read. */}}
{{- define "monotron.anyPod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "monotron.pullSecrets" -}}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
{{- range . }}
  - name: {{ . }}
{{- end }}
{{- end }}
{{- end }}

{{/* The pod of Monotron, either way. */}}
{{- define "monotron.pod" -}}
{{ include "monotron.anyPod" . }}
{{- include "monotron.pullSecrets" . }}
# It exits within 10 s of SIGTERM.
terminationGracePeriodSeconds: 30
{{- if .Values.etcd.enabled }}
# Apart, so that no node and no zone takes all of them along. Only if possible.
topologySpreadConstraints:
{{- range $key := list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - topologyKey: {{ $key }}
    maxSkew: 1
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- include "monotron.selector" (list $ "replica") | nindent 8 }}
    matchLabelKeys: [pod-template-hash]
{{- end }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  {{- if not .Values.etcd.enabled }}
  fsGroupChangePolicy: OnRootMismatch
  {{- end }}
  seccompProfile:
    type: RuntimeDefault
containers:
  - name: monotron
    image: {{ include "monotron.image" . | quote }}
    imagePullPolicy: {{ .Values.image.pullPolicy }}
    ports:
      - name: http
        containerPort: 8080
    env:
      {{- if .Values.etcd.enabled }}
      {{- include "monotron.storeEnv" . | nindent 6 }}
      {{- end }}
      - name: ROOT_API_KEY_FILE
        value: /run/secrets/monotron/root_api_key
      - name: ROOT_API_SECRET_FILE
        value: /run/secrets/monotron/root_api_secret
      {{- range $name, $value := .Values.settings }}
      - name: {{ $name }}
        value: {{ $value | toString | quote }}
      {{- end }}
    securityContext: {{- include "monotron.containerSecurity" . | nindent 6 }}
    volumeMounts:
      {{- if not .Values.etcd.enabled }}
      - name: data
        mountPath: /data
      {{- end }}
      - name: root
        mountPath: /run/secrets/monotron
        readOnly: true
      {{- if .Values.etcd.enabled }}
      {{- include "monotron.storeMounts" . | nindent 6 }}
      {{- end }}
    {{- if .Values.etcd.enabled }}
    lifecycle:
      preStop:
        # New calls come in until every node knows that the pod leaves.
        exec:
          command: [sleep, "5"]
    {{- end }}
    startupProbe:
      httpGet:
        path: /livez
        port: http
      periodSeconds: 1
      timeoutSeconds: 3
      failureThreshold: 60
    livenessProbe:
      httpGet:
        path: /livez
        port: http
      periodSeconds: 10
      timeoutSeconds: 5
      failureThreshold: 3
    readinessProbe:
      httpGet:
        {{- if .Values.etcd.enabled }}
        # Not /readyz: without a majority of etcd all pods would leave the Service at once, and callers would
        # get a refused connection in place of a 503 that explains.
        path: /livez
        {{- else }}
        path: /readyz
        {{- end }}
        port: http
      periodSeconds: 5
      timeoutSeconds: 5
      failureThreshold: 2
    resources: {{- toYaml .Values.resources | nindent 6 }}
volumes:
  - name: root
    secret:
      # Never optional: without it the service would ask for no credentials.
      secretName: {{ .Values.rootSecret }}
      defaultMode: 0440
  {{- if .Values.etcd.enabled }}
  {{- include "monotron.storeVolumes" . | nindent 2 }}
  {{- end }}
{{- end }}

{{/* With storage or etcd.storage: a claim named data. */}}
{{- define "monotron.claim" -}}
- metadata:
    name: data
  spec:
    accessModes: [{{ .accessMode }}]
    {{- with .className }}
    storageClassName: {{ . }}
    {{- end }}
    resources:
      requests:
        storage: {{ .size }}
{{- end }}
