import { type NotificationContent } from '../codec/messages.ts'
import { type Negotiated } from './negotiate.ts'

/** RFC 4271 section 8.1 names and numbers; 29 is RFC 9687's. */
export const EventNumber = {
  ManualStart: 1,
  ManualStop: 2,
  AutomaticStart: 3,
  ManualStart_with_PassiveTcpEstablishment: 4,
  AutomaticStart_with_PassiveTcpEstablishment: 5,
  AutomaticStart_with_DampPeerOscillations: 6,
  AutomaticStart_with_DampPeerOscillations_and_PassiveTcpEstablishment: 7,
  AutomaticStop: 8,
  ConnectRetryTimer_Expires: 9,
  HoldTimer_Expires: 10,
  KeepaliveTimer_Expires: 11,
  DelayOpenTimer_Expires: 12,
  IdleHoldTimer_Expires: 13,
  TcpConnection_Valid: 14,
  Tcp_CR_Invalid: 15,
  Tcp_CR_Acked: 16,
  TcpConnectionConfirmed: 17,
  TcpConnectionFails: 18,
  BGPOpen: 19,
  BGPOpen_with_DelayOpenTimer_running: 20,
  BGPHeaderErr: 21,
  BGPOpenMsgErr: 22,
  OpenCollisionDump: 23,
  NotifMsgVerErr: 24,
  NotifMsg: 25,
  KeepAliveMsg: 26,
  UpdateMsg: 27,
  UpdateMsgErr: 28,
  SendHoldTimer_Expires: 29,
} as const
export type EventName = keyof typeof EventNumber

/** The Cease that a stop sends: subcode (RFC 4486) and, for 2 and 4, RFC 9003's text. */
export interface CeaseReason {
  readonly subcode: number
  readonly text?: string
  /** Ends graceful restart too, as RFC 8538's Hard Reset where the peer knows that. */
  readonly hard?: boolean
}

type EventWithData =
  | { readonly name: 'ManualStop' | 'AutomaticStop'; readonly cease: CeaseReason }
  /** `text`: what the socket said, for the log. */
  | { readonly name: 'TcpConnectionFails'; readonly text: string }
  | { readonly name: 'BGPOpen' | 'BGPOpen_with_DelayOpenTimer_running'; readonly negotiated: Negotiated }
  | {
      readonly name: 'BGPHeaderErr' | 'BGPOpenMsgErr' | 'UpdateMsgErr'
      readonly notification: NotificationContent
      /** What is wrong, as the end of a sentence. */
      readonly reason: string
    }
  | { readonly name: 'NotifMsg' | 'NotifMsgVerErr'; readonly notification: NotificationContent }

type PlainEvent = { readonly name: Exclude<EventName, EventWithData['name']> }

/** What may happen to a session. ROUTE-REFRESH comes as UpdateMsg: RFC 2918 gives it no event of its own. */
export type FsmEvent = EventWithData | PlainEvent
