import { createServer } from 'node:http'
import { DroverError } from '@network/net'
import { splitAddressAndPort } from '@network/datastore/model'

export interface HttpAnswer {
  readonly status: number
  readonly contentType: string
  readonly body: string
}

export interface HttpListener {
  close(): Promise<void>
}

/**
 * Serves GET requests for fixed paths, for monitors. `listen` is HOST:PORT, or 'none' for no listener.
 * @throws DroverError 'port-taken' that names the setting
 */
export async function serveHttp(
  setting: string,
  listen: string,
  paths: Readonly<Record<string, () => HttpAnswer | Promise<HttpAnswer>>>,
): Promise<HttpListener | undefined> {
  const split = splitAddressAndPort(listen)
  if (listen === 'none' || !split.ok || split.value.port === undefined) return undefined
  const { address, port } = split.value
  const server = createServer((request, response) => {
    const pathname = new URL(request.url ?? '/', 'http://agent').pathname
    const answer = Object.hasOwn(paths, pathname) ? paths[pathname] : undefined
    response.on('error', () => undefined)
    if (answer === undefined || request.method !== 'GET') {
      response.writeHead(answer === undefined ? 404 : 405).end()
      return
    }
    Promise.resolve()
      .then(answer)
      .then(
        ({ status, contentType, body }) => {
          response.writeHead(status, { 'content-type': contentType }).end(body)
        },
        () => response.writeHead(500).end(),
      )
  })
  server.headersTimeout = 5_000
  server.requestTimeout = 5_000
  server.maxConnections = 64
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => {
      reject(
        new DroverError('port-taken', `${setting}: ${listen} can't be listened on: ${error.message}.`, {
          remedy: `Choose another address or port for ${setting}, or none.`,
          cause: error,
        }),
      )
    })
    server.listen(port, address, resolve)
  })
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
