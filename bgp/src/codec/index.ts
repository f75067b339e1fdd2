/** The codec's public face: octets ⇄ messages, pure, never throwing on what a peer sends. */
export * from './as-path.ts'
export {
  type AttributeCheck,
  checkAttributes,
  decodeAttributes,
  encodeAttributes,
} from './attribute-block.ts'
export { attributeName, formatAttributes } from './attributes.ts'
export { hexadecimal } from './hexadecimal.ts'
export { capabilityCode } from './capabilities.ts'
export * from './communities.ts'
export * from './context.ts'
export { frame, headerLength, putHeader } from './frame.ts'
export * from './iana.ts'
export * from './message.ts'
export * from './messages.ts'
export * from './nlri.ts'
export * from './notification.ts'
export * from './open.ts'
export * from './path-attributes.ts'
export { type SplitUpdate, splitUpdate } from './split-update.ts'
export * from './update-writer.ts'
export * from './update.ts'
