/** The real thing behind two of the modules: the machine's clock, and a log for who has none. Not pure; for outer layers. */
export { silentLog } from './silent-log.ts'
export { systemClock } from './system-clock.ts'
