/** The agent of a node. */
export { type AgentOptions, runAgent } from './roles/agent.ts'
