/**
 * `npm run fuzz:policy -- [--probes N] [--seed S] [--backend nft|legacy] [--all]`: random policies, labels and packets; the
 * evaluator and the kernel must agree on each. Exits with 1 at the first packet on which they don't, and prints the
 * smallest state in which that is so; `--all` goes on to the end.
 */
import { parseArgs } from 'node:util'
import { describeDisagreement, fuzzPolicy } from './fuzz.ts'

const { values } = parseArgs({
  options: {
    probes: { type: 'string', default: '20000' },
    seed: { type: 'string', default: '1' },
    backend: { type: 'string', default: 'nft' },
    all: { type: 'boolean', default: false },
  },
})

const whole = (name: string, text: string): number => {
  if (/^[1-9][0-9]{0,9}$/.test(text)) return Number(text)
  console.error(`error: --${name} ${text} is not a positive integer`)
  console.error('remedy: npm run fuzz:policy -- --probes 20000 --seed 1')
  process.exit(2)
}

const { backend } = values
if (backend !== 'nft' && backend !== 'legacy') {
  console.error(`error: --backend ${backend} is neither nft nor legacy`)
  console.error('remedy: npm run fuzz:policy -- --backend legacy')
  process.exit(2)
}

const started = performance.now()
const report = await fuzzPolicy({
  probes: whole('probes', values.probes),
  seed: whole('seed', values.seed),
  backend,
  stopAtFirst: !values.all,
})
for (const disagreement of report.disagreements) console.log(`${describeDisagreement(disagreement)}\n`)
for (const fault of report.faults) console.log(fault)
const seconds = ((performance.now() - started) / 1000).toFixed(1)
console.log(
  `${String(report.probes)} probes, ${String(report.allowed)} of them allowed, in ${String(report.states)} states with ` +
    `${String(report.restarts)} restarts, ${backend}, seed ${values.seed}: ` +
    `${String(report.disagreements.length)} disagreements, ${String(report.faults.length)} faults, ${seconds} s`,
)
process.exit(report.disagreements.length + report.faults.length > 0 ? 1 : 0)
