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
export {
  RESERVATION_ANNOTATION,
  RESERVATION_REFUSED_ANNOTATION,
  RESERVED_ADDRESSES_ANNOTATION,
  WAITING_WORKLOAD,
  givenNetworks,
} from './handover.ts'
export type {
  Handover,
  HandoverIdentity,
  HandoverOffer,
  HandoverRequest,
  HandoverReservation,
} from './handover.ts'
