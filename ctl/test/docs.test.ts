import { existsSync, readFileSync, readdirSync } from 'node:fs'
import path from 'node:path'
import { allSettings, fileLayer, resolveSettings } from '@network/agent/config'
import { policySchema, readReflectorConfiguration, reflectorConfiguration } from '@network/agent/reflector'
import { kindNames, parseResources } from '@network/datastore/model'
import { test } from 'tap'
import { agentSettingsTable, fieldsTable, localSettingsTable, schemaTable } from './docs-tables.ts'
import { createBench } from './fake-world.ts'

const docs = path.resolve(import.meta.dirname, '..', '..', 'docs')
const pages = readdirSync(docs).filter((name) => name.endsWith('.md'))
const readme = path.join(docs, '..', 'README.md')

const page = (name: string): string => readFileSync(path.join(docs, name), 'utf8')

/** The fenced blocks of a language, in order. */
function blocks(text: string, language: string): string[] {
  return [...text.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)]
    .filter(([, word]) => word === language)
    .map(([, , content = '']) => content)
}

test('docs/configuration.md has every setting as the code has it', (t) => {
  const text = page('configuration.md')
  t.ok(
    text.includes(localSettingsTable()),
    `the table of settings of one machine should be:\n${localSettingsTable()}`,
  )
  t.ok(
    text.includes(agentSettingsTable()),
    `the table of settings of AgentConfiguration should be:\n${agentSettingsTable()}`,
  )
  t.end()
})

test('docs/resources.md has every kind with every field as the code has them', (t) => {
  const text = page('resources.md')
  for (const kind of kindNames) {
    const section = text.split(`\n## ${kind}\n`)[1]?.split('\n## ')[0] ?? ''
    t.not(section, '', `there is a section ${kind}`)
    t.ok(
      blocks(section, 'yaml').some((yaml) => yaml.includes(`kind: ${kind}`)),
      `${kind} has an example`,
    )
    if (kind === 'AgentConfiguration') continue
    t.ok(section.includes(fieldsTable(kind)), `the table of ${kind} should be:\n${fieldsTable(kind)}`)
  }
  t.end()
})

test("docs/reflector.md has every field of a reflector's file as the code has it", (t) => {
  const text = page('reflector.md')
  for (const schema of [reflectorConfiguration, policySchema]) {
    t.ok(text.includes(schemaTable(schema)), `a table should be:\n${schemaTable(schema)}`)
  }
  t.end()
})

test('every YAML block of the pages is good', (t) => {
  let resources = 0
  for (const name of pages) {
    for (const yaml of blocks(page(name), 'yaml')) {
      if (yaml.includes('apiVersion:')) {
        const parsed = parseResources(yaml, { source: name })
        t.ok(parsed.ok, parsed.ok ? name : parsed.error.map(({ message }) => message).join('\n'))
        resources += parsed.ok ? parsed.value.resources.length : 0
      } else if (yaml.includes('routerID:')) {
        const read = readReflectorConfiguration(yaml, name)
        t.ok(read.ok, read.ok ? name : read.error.map(({ message }) => message).join('\n'))
      } else {
        const layer = fileLayer(allSettings, name, yaml)
        t.ok(layer.ok && resolveSettings(allSettings, [layer.value]).ok, `${name}: ${yaml}`)
      }
    }
  }
  t.ok(resources >= kindNames.length)
  t.end()
})

test('links between the pages lead somewhere', (t) => {
  for (const file of [readme, ...pages.map((name) => path.join(docs, name))]) {
    for (const [, target = ''] of readFileSync(file, 'utf8').matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g)) {
      if (/^[a-z]+:/.test(target)) continue
      t.ok(existsSync(path.resolve(path.dirname(file), target)), `${path.basename(file)}: ${target}`)
    }
  }
  t.end()
})

test('docs/command-line.md names every command and every option', async (t) => {
  const text = page('command-line.md')
  const commands =
    'agent attach detach get apply create replace delete profile endpoint policy_trace policy_show policy_diff node_status node_config node_routes ipam_show ipam_check ipam_release bgp_peers bgp_routes bgp_received bgp_advertised bgp_why bgp_refresh bgp_shutdown bgp_reload reflector version'
  for (const words of commands.split(' ').map((command) => command.split('_'))) {
    const name = `drover ${words.join(' ')}`
    t.match(text, new RegExp(`^## .*${name}`, 'm'), `there is a section ${name}`)
    if (words[0] === 'agent') continue
    const help = (await createBench().run([...words, '--help'])).out
    for (const [, option = ''] of help.matchAll(/^ +(?:-\w, )? *--([a-z0-9-]+)/gm)) {
      if (option !== 'help') t.ok(text.includes(`--${option}`), `${name}: --${option}`)
    }
  }
})
