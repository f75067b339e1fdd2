/**
 * The lint rule that holds the layers of docs/design/conventions.md: each folder of the table names the folders it may
 * import besides itself, the libraries it may use, and whether it is pure. The first entry whose folder contains
 * a file decides. A file in no folder of the table may import everything.
 */
import path from 'node:path'

/** What the parts of policy stand on; else rendering reads calculation's contract alone, and the evaluator neither. */
const policyGround = [
  'policy/src/input.ts',
  'policy/src/port-range.ts',
  'policy/src/protocol.ts',
  'policy/src/salvage.ts',
]

/** @type {{ folder: string, pure: boolean, may: string[], libraries: string[] }[]} */
export const layers = [
  { folder: 'net/src/system', pure: false, may: ['net/src/modules.ts'], libraries: [] },
  { folder: 'net/src', pure: true, may: [], libraries: ['ip-num'] },

  { folder: 'bgp/src/codec', pure: true, may: ['net/src'], libraries: [] },
  { folder: 'bgp/src/mrt', pure: true, may: ['net/src', 'bgp/src/codec'], libraries: [] },
  { folder: 'bgp/src/fsm', pure: true, may: ['net/src', 'bgp/src/codec'], libraries: [] },
  { folder: 'bgp/src/filter', pure: true, may: ['net/src', 'bgp/src/codec'], libraries: [] },
  { folder: 'bgp/src/rib', pure: true, may: ['net/src', 'bgp/src/codec', 'bgp/src/filter'], libraries: [] },
  { folder: 'bgp/src/speaker/network', pure: false, may: ['net/src'], libraries: ['koffi'] },
  { folder: 'bgp/src', pure: false, may: ['net/src'], libraries: [] },

  { folder: 'datastore/src/model', pure: true, may: ['net/src'], libraries: ['yaml'] },
  { folder: 'datastore/src/ipam', pure: true, may: ['net/src', 'datastore/src/model'], libraries: [] },
  {
    folder: 'datastore/src',
    pure: false,
    may: ['net/src'],
    libraries: ['@grpc/grpc-js', 'cockatiel', 'etcd3', 'yaml'],
  },

  { folder: 'policy/src/grammar', pure: true, may: ['net/src', 'datastore/src/model'], libraries: [] },
  {
    folder: 'policy/src/calc',
    pure: true,
    may: ['net/src', 'datastore/src/model', ...policyGround, 'policy/src/digest.ts'],
    libraries: [],
  },
  {
    folder: 'policy/src/evaluator',
    pure: true,
    may: ['net/src', 'datastore/src/model', ...policyGround],
    libraries: [],
  },
  {
    folder: 'policy/src/render',
    pure: true,
    may: ['net/src', 'datastore/src/model', ...policyGround, 'policy/src/calc/active.ts'],
    libraries: [],
  },
  {
    folder: 'policy/src',
    pure: true,
    may: ['net/src', 'datastore/src/model', 'policy/src/calc', 'policy/src/evaluator', 'policy/src/render'],
    libraries: [],
  },

  {
    folder: 'agent/src/config',
    pure: true,
    may: ['agent/src/client/messages.ts', 'net/src', 'datastore/src/model'],
    libraries: ['yaml'],
  },
  {
    folder: 'agent/src/managers',
    pure: true,
    may: [
      'agent/src/drivers/route.ts',
      'net/src',
      'datastore/src/model',
      'datastore/src/ipam',
      'policy/src',
      'bgp/src',
    ],
    libraries: [],
  },
  {
    folder: 'agent/src/reflector',
    pure: true,
    may: ['net/src', 'datastore/src/model', 'bgp/src'],
    libraries: ['yaml'],
  },
  {
    folder: 'agent/src/names',
    pure: true,
    may: ['net/src', 'datastore/src/model'],
    libraries: [],
  },
  { folder: 'agent/src/netlink/codec', pure: true, may: ['net/src'], libraries: [] },
  { folder: 'agent/src/client', pure: false, may: ['net/src', 'datastore/src'], libraries: [] },
  {
    folder: 'agent/src',
    pure: false,
    may: ['net/src', 'bgp/src', 'datastore/src', 'policy/src'],
    libraries: ['dns-packet', 'execa', 'koffi', 'pino', 'prom-client', 'yaml'],
  },

  {
    folder: 'cni/src',
    pure: false,
    may: ['net/src', 'datastore/src', 'agent/src/client'],
    libraries: [],
  },
  {
    folder: 'docker/src',
    pure: false,
    may: ['net/src', 'datastore/src', 'agent/src/client'],
    libraries: [],
  },
  {
    folder: 'ctl/src/output',
    pure: true,
    may: ['net/src', 'datastore/src/model', 'policy/src', 'agent/src/client'],
    libraries: ['yaml'],
  },
  {
    folder: 'ctl/src',
    pure: false,
    may: ['net/src', 'datastore/src', 'policy/src', 'agent/src', 'bgp/src', 'cni/src', 'docker/src'],
    libraries: ['yargs', 'yaml', 'pino'],
  },
]

function within(folder, file) {
  return file === folder || file.startsWith(`${folder}/`)
}

function layerOf(file) {
  return layers.find((layer) => within(layer.folder, file))
}

/** Where an import specifier leads, as a path below the root; undefined for a library. */
function target(specifier, file) {
  if (specifier.startsWith('.'))
    return path.posix.normalize(path.posix.join(path.posix.dirname(file), specifier))
  const [, name, entry] = /^@network\/([^/]+)(?:\/(.+))?$/.exec(specifier) ?? []
  if (name === undefined) return undefined
  return entry === undefined ? `${name}/src` : `${name}/src/${entry}`
}

/** @type {import('eslint').Rule.RuleModule} */
export const importLayers = {
  meta: { type: 'problem', schema: [], docs: { description: 'imports run down the layers only' } },
  create(context) {
    const file = path.relative(context.cwd, context.filename).split(path.sep).join('/')
    const layer = layerOf(file)
    if (layer === undefined) return {}
    const check = (node) => {
      const specifier = node.source?.value
      if (typeof specifier !== 'string') return
      const where = target(specifier, file)
      if (where === undefined) {
        if (specifier.startsWith('node:')) {
          if (layer.pure)
            context.report({ node, message: `${layer.folder} is pure: it imports no '${specifier}'.` })
        } else if (
          !layer.libraries.includes(
            specifier
              .split('/')
              .slice(0, specifier.startsWith('@') ? 2 : 1)
              .join('/'),
          )
        ) {
          context.report({ node, message: `${layer.folder} may not use the library '${specifier}'.` })
        }
        return
      }
      if (within(layer.folder, where) && layerOf(where) === layer) return
      const inside = layerOf(where)
      const typesOnly =
        node.importKind === 'type' ||
        (node.specifiers?.length > 0 && node.specifiers.every((specifier) => specifier.importKind === 'type'))
      const ownPackage =
        file.split('/')[0] === where.split('/')[0] && !layer.pure && layer.folder.split('/').length === 2
      if (ownPackage) return
      if (layer.may.some((folder) => within(folder, where))) {
        if (!layer.pure || typesOnly || inside?.pure || layer.may.includes(where)) return
        context.report({ node, message: `${layer.folder} is pure and '${specifier}' is not.` })
        return
      }
      context.report({
        node,
        message: `${layer.folder} may not import '${specifier}': it lies above or beside it.`,
      })
    }
    return {
      ImportDeclaration: check,
      ExportNamedDeclaration: check,
      ExportAllDeclaration: check,
      ImportExpression: check,
    }
  },
}
