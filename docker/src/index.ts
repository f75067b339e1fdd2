export { createDockerFace } from './face.ts'
