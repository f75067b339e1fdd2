export * from './client.ts'
export * from './messages.ts'
export type {
  Face,
  FaceAnswer,
  FaceModel,
  FaceRequest,
  FaceServer,
  FaceServices,
  RunningFace,
  ServeOptions,
} from './face.ts'
