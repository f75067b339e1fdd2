/** What runs in the containers of the lab: busybox and nothing else, as a tar file or as an OCI image. */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, copyFileSync, linkSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'

const applets = ['sh', 'sleep', 'ping', 'ip', 'nc', 'wget', 'httpd', 'cat', 'echo', 'mkdir', 'true', 'dd']

function tar(folder: string, output: string): void {
  const done = spawnSync('tar', ['-C', folder, '-cf', output, '.'], { encoding: 'utf8' })
  if (done.status !== 0) throw new Error(`tar: ${done.stderr || String(done.error)}`)
}

/** A root file system as a tar file below `folder`; its path. */
export function rootFilesystem(folder: string): string {
  const root = path.join(folder, 'root')
  mkdirSync(path.join(root, 'bin'), { recursive: true })
  for (const directory of ['proc', 'sys', 'dev', 'etc', 'tmp', 'www'])
    mkdirSync(path.join(root, directory), { recursive: true })
  const busybox = path.join(root, 'bin', 'busybox')
  copyFileSync('/bin/busybox', busybox)
  chmodSync(busybox, 0o755)
  for (const name of applets) linkSync(busybox, path.join(root, 'bin', name))
  const file = path.join(folder, 'root.tar')
  tar(root, file)
  return file
}

/** The same as an archive of an OCI image layout (image-spec v1) that `ctr images import` takes; its path. */
export function ociImage(folder: string, name: string, command: readonly string[]): string {
  const layout = path.join(folder, 'layout')
  const blobs = path.join(layout, 'blobs', 'sha256')
  mkdirSync(blobs, { recursive: true })
  const blob = (content: Buffer): { digest: string; size: number } => {
    const hash = createHash('sha256').update(content).digest('hex')
    writeFileSync(path.join(blobs, hash), content)
    return { digest: `sha256:${hash}`, size: content.length }
  }
  const json = (value: object): Buffer => Buffer.from(JSON.stringify(value))
  const layer = blob(readFileSync(rootFilesystem(folder)))
  const configuration = blob(
    json({
      architecture: process.arch === 'x64' ? 'amd64' : process.arch,
      os: 'linux',
      config: { Cmd: command, Env: ['PATH=/bin'] },
      rootfs: { type: 'layers', diff_ids: [layer.digest] },
    }),
  )
  const manifest = blob(
    json({
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      config: { mediaType: 'application/vnd.oci.image.config.v1+json', ...configuration },
      layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar', ...layer }],
    }),
  )
  writeFileSync(path.join(layout, 'oci-layout'), json({ imageLayoutVersion: '1.0.0' }))
  writeFileSync(
    path.join(layout, 'index.json'),
    json({
      schemaVersion: 2,
      manifests: [
        {
          mediaType: 'application/vnd.oci.image.manifest.v1+json',
          ...manifest,
          annotations: { 'io.containerd.image.name': name, 'org.opencontainers.image.ref.name': name },
        },
      ],
    }),
  )
  const file = path.join(folder, 'image.tar')
  tar(layout, file)
  return file
}
