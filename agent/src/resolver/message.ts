/**
 * Questions and answers on the wire (RFC 1035, EDNS by RFC 6891). Only what is needed to answer for a name is read;
 * a question that is somebody else's goes on byte by byte.
 */
import {
  type Answer,
  AUTHORITATIVE_ANSWER,
  CHECKING_DISABLED,
  RECURSION_AVAILABLE,
  RECURSION_DESIRED,
  TRUNCATED_RESPONSE,
  decode,
  encode,
} from 'dns-packet'
import { type Result, failure, success } from '@network/net'
import type { AnswerRecord, NameQuestion } from '../names/answer.ts'

export const ResponseCode = {
  noError: 0,
  formatError: 1,
  serverFailure: 2,
  notImplemented: 4,
  refused: 5,
} as const
export type ResponseCode = (typeof ResponseCode)[keyof typeof ResponseCode]
/** "There is no such name." */
export const NAME_ERROR = 3

export interface Question extends NameQuestion {
  readonly id: number
  /** RD and CD, as the answer repeats them. */
  readonly flags: number
  /** The question's own bytes. */
  readonly raw: Buffer
  /** How much the asker takes by UDP; undefined: it speaks no EDNS. */
  readonly ednsBytes: number | undefined
  readonly ednsVersion: number
}

/** A message that is no question: what it gets, or undefined if nothing. */
export interface MessageFault {
  readonly answer: Buffer | undefined
}

const HEADER_BYTES = 12
const QUESTION_COUNT_AT = 4
const RESPONSE = 0x8000
const OPCODE = 0x7800
/** What fits without EDNS (RFC 1035, section 4.2.1), and what we send at most: no fragment on any link. */
const PLAIN_BYTES = 512
const MOST_BYTES = 1232
/** A name of one letter, and an IPv4 address. */
const LEAST_RECORD_BYTES = 17
const MOST_ADDITIONAL = 8
const BAD_VERSION = 1
/** An endpoint may go at any time. */
const TTL_SECONDS = 5

/** Reads a question. Never throws, whatever the bytes are. */
export function readQuestion(bytes: Buffer): Result<Question, MessageFault> {
  if (bytes.length < HEADER_BYTES) return failure({ answer: undefined })
  const flags = bytes.readUInt16BE(2)
  // An answer to an answer could go round for ever.
  if ((flags & RESPONSE) !== 0) return failure({ answer: undefined })
  if ((flags & OPCODE) !== 0) return failure({ answer: bareAnswer(bytes, ResponseCode.notImplemented) })
  const malformed = { answer: bareAnswer(bytes, ResponseCode.formatError) }
  const [questions, answers, authorities, additionals] = [4, 6, 8, 10].map((at) => bytes.readUInt16BE(at))
  if (questions !== 1 || answers !== 0 || authorities !== 0 || (additionals ?? 0) > MOST_ADDITIONAL)
    return failure(malformed)
  try {
    const packet = decode(bytes)
    const [question] = packet.questions ?? []
    if (question === undefined) return failure(malformed)
    const edns = packet.additionals?.find(({ type }) => type === 'OPT')
    const raw = bytes.subarray(HEADER_BYTES, endOfQuestion(bytes))
    return success({
      id: bytes.readUInt16BE(0),
      flags: flags & (RECURSION_DESIRED | CHECKING_DISABLED),
      name: question.name,
      type: question.type,
      class: question.class ?? 'IN',
      raw,
      exact: encode({ questions: [question] })
        .subarray(HEADER_BYTES)
        .equals(raw),
      ednsBytes: edns?.type === 'OPT' ? edns.udpPayloadSize : undefined,
      ednsVersion: edns?.type === 'OPT' ? edns.ednsVersion : 0,
    })
  } catch {
    return failure(malformed)
  }
}

/** An answer that we know ourselves. By UDP it has as many records as fit, and says if that isn't all. */
export function writeAnswer(
  question: Question,
  records: readonly AnswerRecord[],
  transport: 'udp' | 'tcp',
): Buffer {
  if (question.ednsVersion !== 0) return writeMessage(question, [], { extendedCode: BAD_VERSION })
  const most =
    transport === 'tcp'
      ? 0xffff
      : Math.max(PLAIN_BYTES, Math.min(question.ednsBytes ?? PLAIN_BYTES, MOST_BYTES))
  const answers = records.slice(0, Math.ceil(most / LEAST_RECORD_BYTES)).map((record): Answer => ({
    ...record,
    name: question.name,
    class: 'IN',
    ttl: TTL_SECONDS,
  }))
  const whole = writeMessage(question, answers, { flags: AUTHORITATIVE_ANSWER })
  if (whole.length <= most) return whole
  const empty = writeMessage(question, [], { flags: AUTHORITATIVE_ANSWER }).length
  const each = (whole.length - empty) / Math.max(1, answers.length)
  const fitting = answers.slice(0, Math.max(0, Math.floor((most - empty) / each)))
  return writeMessage(question, fitting, { flags: AUTHORITATIVE_ANSWER | TRUNCATED_RESPONSE })
}

/** An answer that only says why there is none. */
export function writeFailure(question: Question, code: ResponseCode): Buffer {
  return writeMessage(question, [], { flags: code })
}

/** The code of an answer (RFC 1035, section 4.1.1). */
export function responseCode(answer: Buffer): number {
  return answer.length < HEADER_BYTES ? ResponseCode.serverFailure : answer.readUInt16BE(2) & 0xf
}

/** Whether these bytes answer that question: an answer, of its number, to its words. */
export function answersTo(answer: Buffer, question: Buffer): boolean {
  if (answer.length < HEADER_BYTES || (answer.readUInt16BE(2) & RESPONSE) === 0) return false
  if (answer.readUInt16BE(0) !== question.readUInt16BE(0)) return false
  // Servers that can't even read the question send no words back.
  if (answer.readUInt16BE(4) === 0) return responseCode(answer) !== ResponseCode.noError
  const end = endOfQuestion(question)
  return lowerCase(answer.subarray(HEADER_BYTES, end)) === lowerCase(question.subarray(HEADER_BYTES, end))
}

function endOfQuestion(bytes: Buffer): number {
  let offset = HEADER_BYTES
  for (let length = bytes[offset] ?? 0; length !== 0; length = bytes[offset] ?? 0) {
    // A pointer ends a name too.
    if (length >= 0xc0) return offset + 6
    offset += length + 1
  }
  return offset + 5
}

function lowerCase(bytes: Buffer): string {
  return bytes.toString('latin1').replace(/[A-Z]/g, (letter) => letter.toLowerCase())
}

function writeMessage(
  question: Question,
  answers: Answer[],
  { flags = 0, extendedCode = 0 }: { flags?: number; extendedCode?: number },
): Buffer {
  const edns: Answer = {
    type: 'OPT',
    name: '.',
    udpPayloadSize: MOST_BYTES,
    extendedRcode: extendedCode,
    ednsVersion: 0,
    flags: 0,
    flag_do: false,
    options: [],
  }
  const message = encode({
    type: 'response',
    id: question.id,
    flags: question.flags | RECURSION_AVAILABLE | flags,
    answers,
    additionals: question.ednsBytes === undefined ? [] : [edns],
  })
  message.writeUInt16BE(1, QUESTION_COUNT_AT)
  return Buffer.concat([message.subarray(0, HEADER_BYTES), question.raw, message.subarray(HEADER_BYTES)])
}

/** To what can't be read: its number and why. Never longer than what came. */
function bareAnswer(bytes: Buffer, code: ResponseCode): Buffer {
  const answer = Buffer.alloc(HEADER_BYTES)
  answer.writeUInt16BE(bytes.readUInt16BE(0), 0)
  const kept = bytes.readUInt16BE(2) & (OPCODE | RECURSION_DESIRED)
  answer.writeUInt16BE(RESPONSE | kept | RECURSION_AVAILABLE | code, 2)
  return answer
}
