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
export { WAITING_WORKLOAD, givenNetworks } from './handover.ts'
export type {
  Handover,
  HandoverIdentity,
  HandoverOffer,
  HandoverRequest,
  HandoverReservation,
} from './handover.ts'
