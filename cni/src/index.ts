/** CNI as a face of the agent. */
export { CNI_SOCKET_NAME, PROMISES_FOLDER, createCniFace } from './face.ts'
