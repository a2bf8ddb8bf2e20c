// Files for containers are linted, not run: by hadolint, by the schemas of compose and of Kubernetes, and for what matters
// to us: nobody is root, nothing can be written but volumes, nothing is `latest`, what is mounted is there.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse, parseAllDocuments } from 'yaml'
import { check } from '../lib/check.mjs'
import { BINARY, scratch } from '../lib/process.mjs'

const DEPLOY = new URL('../../../deploy', import.meta.url).pathname
const DOCKER = join(DEPLOY, 'docker')
const KUBERNETES = join(DEPLOY, 'kubernetes')
/** The oldest that is still looked after by Kubernetes' developers, and the newest whose schema the linter has. */
const VERSIONS = ['1.34', '1.37']
const NOBODY = 65532

function lint (program, args) {
  const { status, stdout, stderr, error } = spawnSync(program, args, { encoding: 'utf8' })
  assert.equal(status, 0, `${program}: ${error?.message ?? stdout + stderr}`)
}
const read = (...path) => readFileSync(join(...path), 'utf8')

/** Whether the program takes a configuration; its secrets are made up. */
function takes (text) {
  const folder = scratch()
  const file = join(folder, 'config.yaml')
  writeFileSync(file, text)
  const env = { PATH: process.env.PATH, CREDENTIALS_DIRECTORY: folder }
  for (const [, name] of text.matchAll(/_env: (\w+)/g)) env[name] = `made-up-${name}`
  for (const [, name] of text.matchAll(/_file: (\w+)/g)) writeFileSync(join(folder, name), `made-up-${name}`, { mode: 0o440 })
  const { status, stderr } = spawnSync(BINARY, ['check-config', '--strict', '--config', file], { encoding: 'utf8', env })
  assert.equal(status, 0, stderr)
}

await check('the Dockerfile: linted; no shell, not root, and health is asked without one', async () => {
  lint('hadolint', ['--failure-threshold', 'style', join(DOCKER, 'Dockerfile')])
  const stages = read(DOCKER, 'Dockerfile').replaceAll(/^#.*\n/gm, '').replaceAll('\\\n', '').split(/^(?=FROM )/m).filter((stage) => stage.trim())
  for (const stage of stages) assert.match(stage, /^FROM [\w./-]+:(?!latest)\S+/)
  const image = stages.at(-1)
  assert.match(image, /^FROM gcr\.io\/distroless\/\S+:nonroot$/m)
  assert.match(image, new RegExp(`^USER ${NOBODY}:${NOBODY}$`, 'm'))
  assert.match(image, /^HEALTHCHECK .*CMD \["\/usr\/bin\/pinfold", *"healthcheck"\]$/m)
  for (const [, command] of image.matchAll(/^(?:ENTRYPOINT|CMD) (.*)$/gm)) assert.ok(Array.isArray(JSON.parse(command)), command)
  assert.ok(!/^RUN /m.test(image), 'there is no shell to run anything')
  assert.match(image, new RegExp(`^COPY .*--chown=${NOBODY}:${NOBODY} \\S+ /var/lib/pinfold$`, 'm'))
  for (const label of ['title', 'description', 'source', 'documentation', 'version', 'revision', 'licenses']) {
    assert.ok(image.includes(`org.opencontainers.image.${label}=`), label)
  }
  const version = /^version = "(.*)"/m.exec(read(DEPLOY, '../Cargo.toml'))[1]
  assert.ok(image.includes(`ARG VERSION=${version}\n`), 'the version is that of Cargo.toml')
})

await check('the compose file: linted; each service is locked in, published here only, and finds its files', async () => {
  lint('check-jsonschema', ['--builtin-schema', 'vendor.compose-spec', join(DOCKER, 'compose.yaml')])
  const { services, volumes, secrets } = parse(read(DOCKER, 'compose.yaml'), { merge: true })
  assert.deepEqual(Object.keys(services), ['pinfold', 'prometheus', 'grafana'])
  for (const [name, service] of Object.entries(services)) {
    assert.match(service.image, /:v?\d+\.\d+\.\d+$/, name)
    // Compose copies secrets of the environment into a container, which it refuses where that is read-only.
    const copied = (service.secrets ?? []).some((secret) => 'environment' in secrets[secret])
    assert.deepEqual([service.read_only, service.cap_drop, service.security_opt], [!copied, ['ALL'], ['no-new-privileges:true']], name)
    assert.ok(Number(service.user.split(':')[0]) > 0, `${name} runs as root`)
    for (const port of service.ports) assert.match(port, /^127\.0\.0\.1:/, name)
    for (const [from] of service.volumes.map((volume) => volume.split(':'))) {
      assert.ok(from.startsWith('.') ? existsSync(join(DOCKER, from)) : from in volumes, `${name} mounts ${from}, which is not there`)
    }
  }
  assert.equal(services.prometheus.depends_on.pinfold.condition, 'service_healthy')
  takes(read(DOCKER, 'config.yaml'))
  lint('promtool', ['check', 'config', '--syntax-only', join(DOCKER, 'prometheus.yml')])
})

await check('the Kubernetes manifests: linted; one locked-in replica, probes, and what the kustomization names', async () => {
  const files = readdirSync(KUBERNETES).filter((name) => name.endsWith('.yaml') && !['kustomization.yaml', 'config.yaml'].includes(name))
  for (const version of VERSIONS) lint('kubernetes-validate', ['--strict', '--quiet', '-k', version, ...files.map((name) => join(KUBERNETES, name))])
  const kustomization = parse(read(KUBERNETES, 'kustomization.yaml'))
  for (const name of [...kustomization.resources, ...kustomization.configMapGenerator[0].files]) assert.ok(existsSync(join(KUBERNETES, name)), name)
  const [set] = parseAllDocuments(read(KUBERNETES, 'statefulset.yaml'), { version: '1.1' }).map((document) => document.toJS())
  assert.equal(set.spec.replicas, 1)
  const { spec } = set.spec.template
  const { runAsNonRoot, runAsUser, fsGroup, seccompProfile } = spec.securityContext
  assert.deepEqual([runAsNonRoot, runAsUser, fsGroup, seccompProfile.type], [true, NOBODY, NOBODY, 'RuntimeDefault'])
  assert.equal(spec.automountServiceAccountToken, false)
  const [container] = spec.containers
  assert.deepEqual(container.securityContext, { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } })
  for (const probe of ['startupProbe', 'livenessProbe', 'readinessProbe']) assert.equal(container[probe].httpGet.port, 'admin', probe)
  assert.ok(container.resources.requests.memory && container.resources.limits.memory)
  assert.equal(spec.volumes.find(({ name }) => name === 'secrets').secret.defaultMode, 0o440)
  const mounted = [...spec.volumes, ...set.spec.volumeClaimTemplates.map(({ metadata }) => metadata)].map(({ name }) => name)
  assert.deepEqual(container.volumeMounts.map(({ name }) => name).toSorted(), mounted.toSorted())
  takes(read(KUBERNETES, 'config.yaml'))
})
