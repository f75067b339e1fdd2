/** The command line as a function, for tests and for who embeds it. */
export { runCommandLine } from './command-line.ts'
export { ExitCode } from './output/failure.ts'
export { type World } from './world.ts'
