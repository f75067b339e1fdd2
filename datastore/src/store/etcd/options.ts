import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { credentials, type ChannelCredentials } from '@grpc/grpc-js'
import { StoreError } from '../store.ts'

export interface EtcdStoreOptions {
  /** `http://HOST:PORT` or `https://HOST:PORT`, all of the same scheme. */
  endpoints: readonly string[]
  /** PEM file with the authorities that may sign the members' certificates; default: those of Node. */
  caFile?: string | undefined
  /** PEM files of the client certificate and its key: both or neither. */
  certFile?: string | undefined
  keyFile?: string | undefined
  /** Both or neither. */
  username?: string | undefined
  password?: string | undefined
  /** For every call that doesn't bring its own. Default 5,000. */
  deadlineMs?: number | undefined
}

export interface Endpoint {
  url: string
  /** What gRPC dials. */
  address: string
}

export interface CheckedOptions {
  endpoints: Endpoint[]
  channelCredentials: ChannelCredentials
  login: { name: string; password: string } | undefined
  deadlineMs: number
}

/** Checks the options and reads the files they name. Throws `invalid-options` that names option, value and remedy. */
export function checkOptions(options: EtcdStoreOptions): CheckedOptions {
  const deadlineMs = options.deadlineMs ?? 5000
  if (!(deadlineMs > 0 && deadlineMs < 2 ** 31)) {
    throw invalid(`the etcd deadline is ${deadlineMs} ms`, 'give a positive number of milliseconds')
  }
  if (options.endpoints.length === 0) {
    throw invalid('no etcd endpoint is given', 'name at least one, such as http://127.0.0.1:2379')
  }
  const parsed = options.endpoints.map(parseEndpoint)
  const secure = parsed.filter(({ url }) => url.startsWith('https:')).length
  if (secure > 0 && secure < parsed.length) {
    throw invalid(
      `the etcd endpoints ${options.endpoints.join(', ')} mix http and https`,
      'use one scheme for all',
    )
  }
  return {
    endpoints: parsed,
    channelCredentials: channelCredentialsOf(options, secure > 0),
    login: loginOf(options),
    deadlineMs,
  }
}

function parseEndpoint(text: string): Endpoint {
  const remedy = 'write it as http://HOST:PORT or https://HOST:PORT'
  let url: URL
  try {
    url = new URL(text)
  } catch {
    throw invalid(`the etcd endpoint "${text}" is not a URL`, remedy)
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw invalid(
      `the etcd endpoint "${text}" has the scheme "${url.protocol.slice(0, -1)}", not http or https`,
      remedy,
    )
  }
  if (url.username !== '' || url.password !== '') {
    throw invalid(
      `the etcd endpoint for ${url.hostname} contains a user name or password`,
      'give them as options of their own',
    )
  }
  if ((url.pathname !== '/' && url.pathname !== '') || url.search !== '' || url.hash !== '') {
    throw invalid(`the etcd endpoint "${text}" has something behind HOST:PORT`, remedy)
  }
  const port = url.port === '' ? (/:(80|443)\/?$/.exec(text)?.[1] ?? '2379') : url.port
  return { url: `${url.protocol}//${url.hostname}:${port}`, address: `${url.hostname}:${port}` }
}

function channelCredentialsOf(options: EtcdStoreOptions, secure: boolean): ChannelCredentials {
  const { caFile, certFile, keyFile } = options
  if (!secure) {
    const given = Object.entries({ caFile, certFile, keyFile }).find(([, file]) => file !== undefined)
    if (given) {
      throw invalid(
        `the etcd option ${given[0]} is given (${given[1] ?? ''}) but the endpoints are http`,
        'write the endpoints with https, or leave the certificate options out',
      )
    }
    return credentials.createInsecure()
  }
  if ((certFile === undefined) !== (keyFile === undefined)) {
    const [present, missing] = certFile === undefined ? ['keyFile', 'certFile'] : ['certFile', 'keyFile']
    throw invalid(
      `the etcd option ${present} is given without ${missing}`,
      'give the client certificate and its key together',
    )
  }
  const ca = readPem('caFile', caFile, 'CERTIFICATE')
  const cert = readPem('certFile', certFile, 'CERTIFICATE')
  const key = readPem('keyFile', keyFile, 'PRIVATE KEY')
  try {
    return credentials.createSsl(ca, key, cert)
  } catch (cause) {
    const files = [caFile, certFile, keyFile].filter((file) => file !== undefined).join(', ')
    throw new StoreError(
      'invalid-options',
      `the certificates for etcd can't be used (${files}): ${String(cause)}`,
      {
        remedy: 'check that the key belongs to the certificate and that all are PEM',
        cause,
      },
    )
  }
}

function readPem(option: string, file: string | undefined, label: string): Buffer | null {
  if (file === undefined) return null
  let content: Buffer
  try {
    content = readFileSync(file)
  } catch (cause) {
    throw new StoreError(
      'invalid-options',
      `the etcd option ${option} names ${file}, which can't be read: ${String(cause)}`,
      {
        remedy: `check that the file exists and that this user may read it`,
        details: { option, file },
        cause,
      },
    )
  }
  const trouble = content.includes(`${label}-----`)
    ? certificateTrouble(label, content)
    : `holds no PEM ${label}`
  if (trouble !== undefined) {
    throw new StoreError('invalid-options', `the etcd option ${option} names ${file}, which ${trouble}`, {
      remedy: 'give a PEM file ("-----BEGIN …")',
      details: { option, file },
    })
  }
  return content
}

/** OpenSSL passes over an authority that it can't read, and then trusts nobody. */
function certificateTrouble(label: string, content: Buffer): string | undefined {
  if (label !== 'CERTIFICATE') return undefined
  try {
    new X509Certificate(content)
    return undefined
  } catch (cause) {
    return `holds a certificate that can't be read: ${String(cause)}`
  }
}

function loginOf({ username, password }: EtcdStoreOptions): { name: string; password: string } | undefined {
  if (username === undefined && password === undefined) return undefined
  if (username === undefined || password === undefined || username === '') {
    const missing = password === undefined ? 'password' : 'user name'
    throw invalid(`the etcd ${missing} is missing`, 'give user name and password together')
  }
  return { name: username, password }
}

function invalid(message: string, remedy: string): StoreError {
  return new StoreError('invalid-options', message, { remedy })
}
