import { DroverError } from '@network/net'
import { test } from 'tap'
import { ExitCode, UsageError, describeFailure, exitCodeOf, failureAsJson } from '../../src/output/failure.ts'

test('a failure is a sentence, its faults, and what to do', (t) => {
  const error = new DroverError('invalid', 'Two fields of pool.yaml are wrong.', {
    remedy: 'Change them.',
    details: { faults: [{ message: 'spec.cidr: …' }, { message: 'spec.blockSize: …' }] },
  })
  t.equal(
    describeFailure(error),
    'error: Two fields of pool.yaml are wrong.\n  - spec.cidr: …\n  - spec.blockSize: …\nremedy: Change them.\n',
  )
  const shown = JSON.parse(failureAsJson(error)) as { error: { code: string; faults: unknown[] } }
  t.equal(shown.error.code, 'invalid')
  t.same(shown.error.faults, [{ message: 'spec.cidr: …' }, { message: 'spec.blockSize: …' }])
  t.equal(exitCodeOf(error), ExitCode.invalid)
  t.end()
})

test('what a peer or a key has put into a message cannot move the cursor', (t) => {
  t.notMatch(describeFailure(new DroverError('x', 'evil \u001b[2J name')), '\u001b')
  t.end()
})

test('exit codes', (t) => {
  t.equal(exitCodeOf(new UsageError('?')), 2)
  t.equal(exitCodeOf(new DroverError('not-found', '?')), 3)
  t.equal(exitCodeOf(new DroverError('unreachable', '?')), 4)
  t.equal(exitCodeOf(new DroverError('certificate', '?')), 5)
  t.equal(exitCodeOf(new DroverError('in-use', '?')), 1)
  t.equal(exitCodeOf(new TypeError('?')), 1)
  t.end()
})

test('a defect is called a defect and shows its stack', (t) => {
  t.match(describeFailure(new TypeError('boom')), /defect in drover[\s\S]*TypeError: boom[\s\S]*at /)
  t.end()
})
