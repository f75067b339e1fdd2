import {
  type Draft,
  type Topic,
  type Traits,
  allow,
  deny,
  intoWeb,
  named,
  namespaced,
  networkSet,
  policy,
  profile,
} from '../case.ts'

/** Lets in what this selects. */
const letIn = (selector: string): Draft => intoWeb({ action: 'Allow', source: { selector } })

const colors: Record<'client' | 'db' | 'db2', Traits> = {
  client: { labels: { color: 'red', size: 'large' } },
  db: { labels: { color: 'dark-red' } },
  db2: { labels: { color: 'blue', 'drover.io/zone': 'a' } },
}

const tried = (selector: string, allowed: readonly string[], denied: readonly string[]) => ({
  name: selector,
  workloads: colors,
  resources: [letIn(selector)],
  allowed: allowed.map((who) => `${who} > web tcp 80`),
  denied: denied.map((who) => `${who} > web tcp 80`),
})

export const selectors: Topic = {
  topic: 'selectors',
  cases: [
    tried("color == 'red'", ['client'], ['db', 'db2', 'far', 'outside']),
    tried('color == "red"', ['client'], ['db']),
    tried("color != 'red'", ['db', 'db2', 'far'], ['client', 'outside']),
    tried("color in {'red', 'blue'}", ['client', 'db2'], ['db', 'far']),
    tried("color not in {'red', 'blue'}", ['db', 'far'], ['client', 'db2', 'outside']),
    tried('has(size)', ['client'], ['db', 'far']),
    tried('!has(color)', ['far', 'away'], ['client', 'db', 'outside']),
    tried("color contains 'red'", ['client', 'db'], ['db2', 'far']),
    tried("color starts with 'dark'", ['db'], ['client', 'db2', 'far']),
    tried("color ends with 'e'", ['db2'], ['client', 'db', 'far']),
    tried("has(drover.io/zone) && drover.io/zone == 'a'", ['db2'], ['client', 'far']),
    tried("color == 'blue' || color == 'red' && has(size)", ['db2', 'client'], ['db', 'far']),
    tried("(color == 'blue' || color == 'red') && has(size)", ['client'], ['db2', 'db']),
    tried("!(color == 'red' || color == 'blue')", ['db', 'far'], ['client', 'db2', 'outside']),
    tried("!has(color) || !(color != 'red')", ['client', 'far'], ['db', 'db2', 'outside']),
    tried('all() && !global()', ['client', 'far'], ['outside']),
  ],
}

export const namespaces: Topic = {
  topic: 'namespaces and service accounts',
  cases: [
    {
      name: 'a policy of a namespace selects within it',
      workloads: { web: { namespace: 'prod' }, db: { namespace: 'test' } },
      resources: [namespaced('prod', 'p', { selector: 'all()', ingress: [deny] })],
      allowed: ['client > db tcp 80', 'client > db2 tcp 80'],
      denied: ['client > web tcp 80'],
    },
    {
      name: "an endpoint without a namespace is in 'default'",
      workloads: { web: { namespace: 'prod' } },
      resources: [namespaced('default', 'p', { selector: named('web', 'db'), ingress: [deny] })],
      allowed: ['client > web tcp 80'],
      denied: ['client > db tcp 80'],
    },
    {
      name: 'a selector in its rules means endpoints of its namespace',
      workloads: { web: { namespace: 'prod' }, client: { namespace: 'prod' } },
      resources: [
        namespaced('prod', 'p', {
          selector: named('web'),
          ingress: [{ action: 'Allow', source: { selector: 'all()' } }],
        }),
      ],
      allowed: ['client > web tcp 80'],
      denied: ['db > web tcp 80', 'far > web tcp 80', 'outside > web tcp 80'],
    },
    {
      name: 'a network set of its namespace is found, another is not',
      workloads: { web: { namespace: 'prod' } },
      resources: [
        {
          kind: 'NetworkSet',
          namespace: 'prod',
          name: 'a',
          labels: { partner: 'yes' },
          spec: { nets: ['10.251.0.0/24', 'fd00:251::/64'] },
        },
        {
          kind: 'NetworkSet',
          namespace: 'test',
          name: 'b',
          labels: { partner: 'yes' },
          spec: { nets: ['10.250.0.2', 'fd00:250::2'] },
        },
        networkSet('c', { partner: 'yes' }, ['10.65.1.1', 'fd65::1:1']),
        namespaced('prod', 'p', {
          selector: 'all()',
          ingress: [{ action: 'Allow', source: { selector: "partner == 'yes'" } }],
        }),
      ],
      allowed: ['outside > web tcp 80'],
      denied: ['peer > web tcp 80', 'far > web tcp 80'],
    },
    {
      name: "a policy of the cluster finds every namespace's endpoints and sets",
      workloads: { client: { namespace: 'prod' }, db: { namespace: 'test' } },
      resources: [
        {
          kind: 'NetworkSet',
          namespace: 'prod',
          name: 'a',
          labels: { name: 'client' },
          spec: { nets: ['10.251.0.0/24', 'fd00:251::/64'] },
        },
        letIn(named('client', 'db')),
      ],
      allowed: ['client > web tcp 80', 'db > web tcp 80', 'outside > web tcp 80'],
      denied: ['db2 > web tcp 80'],
    },
    {
      name: 'a namespaceSelector reaches into namespaces with these labels',
      workloads: { web: { namespace: 'prod' }, client: { namespace: 'test' }, db: { namespace: 'stage' } },
      resources: [
        profile('kns.test', { labelsToApply: { 'pcns.env': 'test' } }),
        profile('kns.stage', { labelsToApply: { 'pcns.env': 'stage' } }),
        namespaced('prod', 'p', {
          selector: 'all()',
          ingress: [{ action: 'Allow', source: { namespaceSelector: "env == 'test'" } }],
        }),
      ],
      allowed: ['client > web tcp 80'],
      denied: ['db > web tcp 80', 'db2 > web tcp 80', 'outside > web tcp 80'],
    },
    {
      name: 'a namespaceSelector and a selector: both must hold',
      workloads: { client: { namespace: 'test' }, db: { namespace: 'test' } },
      resources: [
        profile('kns.test', { labelsToApply: { 'pcns.env': 'test' } }),
        namespaced('default', 'p', {
          selector: named('web'),
          ingress: [
            {
              action: 'Allow',
              source: { namespaceSelector: "env == 'test'", selector: named('client', 'db2') },
            },
          ],
        }),
      ],
      allowed: ['client > web tcp 80'],
      denied: ['db > web tcp 80', 'db2 > web tcp 80'],
    },
    {
      name: 'all() as a namespaceSelector: things with a namespace',
      workloads: { client: { namespace: 'test' } },
      resources: [
        networkSet('global', {}, ['10.251.0.0/24', 'fd00:251::/64']),
        namespaced('default', 'p', {
          selector: named('web'),
          ingress: [{ action: 'Allow', source: { namespaceSelector: 'all()' } }],
        }),
      ],
      allowed: ['client > web tcp 80', 'db > web tcp 80'],
      denied: ['outside > web tcp 80', 'peer > web tcp 80'],
    },
    {
      name: 'global() as a namespaceSelector: things without a namespace',
      resources: [
        networkSet('global', { partner: 'yes' }, ['10.251.0.0/24', 'fd00:251::/64']),
        namespaced('default', 'p', {
          selector: named('web'),
          ingress: [
            { action: 'Allow', source: { namespaceSelector: 'global()', selector: "partner == 'yes'" } },
          ],
        }),
      ],
      allowed: ['outside > web tcp 80'],
      denied: ['client > web tcp 80', 'peer > web tcp 80'],
    },
    {
      name: 'a namespace is found by its name',
      workloads: { client: { namespace: 'test' }, db: { namespace: 'prod' } },
      resources: [
        intoWeb(
          { action: 'Allow', source: { selector: "projectcalico.org/namespace == 'test'" } },
          { action: 'Allow', source: { selector: "drover.network/namespace == 'prod'" } },
        ),
      ],
      allowed: ['client > web tcp 80', 'db > web tcp 80'],
      denied: ['db2 > web tcp 80'],
    },
    {
      name: 'nobody gives himself a namespace by writing its label',
      workloads: { client: { labels: { 'projectcalico.org/namespace': 'prod' } }, db: { namespace: 'prod' } },
      resources: [letIn("projectcalico.org/namespace == 'prod'")],
      allowed: ['db > web tcp 80'],
      denied: ['client > web tcp 80'],
    },
    {
      name: 'a namespaceSelector of a policy of the cluster',
      workloads: { web: { namespace: 'prod' }, db: { namespace: 'test' } },
      resources: [
        profile('kns.prod', { labelsToApply: { 'pcns.env': 'prod' } }),
        policy('p', { namespaceSelector: "env == 'prod'", ingress: [deny] }),
      ],
      allowed: ['client > db tcp 80', 'client > db2 tcp 80'],
      denied: ['client > web tcp 80'],
    },
    {
      name: 'a namespace gets a label',
      workloads: { client: { namespace: 'test' } },
      resources: [intoWeb({ action: 'Allow', source: { namespaceSelector: "env == 'test'" } })],
      denied: ['client > web tcp 80'],
      then: [
        {
          workloads: { client: { namespace: 'test' } },
          resources: [
            profile('kns.test', { labelsToApply: { 'pcns.env': 'test' } }),
            intoWeb({ action: 'Allow', source: { namespaceSelector: "env == 'test'" } }),
          ],
          allowed: ['client > web tcp 81'],
          denied: ['db > web tcp 81'],
        },
      ],
    },
    {
      name: 'service accounts by name',
      workloads: { client: { serviceAccount: 'crawler' }, db: { serviceAccount: 'backup' } },
      resources: [intoWeb({ action: 'Allow', source: { serviceAccounts: { names: ['crawler', 'other'] } } })],
      allowed: ['client > web tcp 80'],
      denied: ['db > web tcp 80', 'db2 > web tcp 80', 'outside > web tcp 80'],
    },
    {
      name: 'service accounts by their labels',
      workloads: { client: { serviceAccount: 'crawler' }, db: { serviceAccount: 'backup' } },
      resources: [
        profile('ksa.default.crawler', { labelsToApply: { 'pcsa.trusted': 'yes' } }),
        intoWeb({ action: 'Allow', source: { serviceAccounts: { selector: "trusted == 'yes'" } } }),
      ],
      allowed: ['client > web tcp 80'],
      denied: ['db > web tcp 80', 'db2 > web tcp 80'],
    },
    {
      name: "a policy for endpoints of a service account's labels",
      workloads: { web: { serviceAccount: 'api' }, db: { serviceAccount: 'backup' } },
      resources: [
        profile('ksa.default.api', { labelsToApply: { 'pcsa.trusted': 'no' } }),
        policy('p', { serviceAccountSelector: "trusted == 'no'", ingress: [deny] }),
      ],
      allowed: ['client > db tcp 80', 'client > db2 tcp 80'],
      denied: ['client > web tcp 80'],
    },
    {
      name: 'a negated selector is not confined to the namespace',
      workloads: { client: { namespace: 'test', labels: { bad: 'yes' } } },
      resources: [
        namespaced('default', 'p', {
          selector: named('web'),
          ingress: [{ action: 'Allow', source: { notSelector: 'has(bad)' } }],
        }),
      ],
      allowed: ['db > web tcp 80', 'outside > web tcp 80'],
      denied: ['client > web tcp 80'],
    },
    {
      name: 'two policies of one name in two namespaces are two',
      workloads: { web: { namespace: 'prod' }, db: { namespace: 'test' } },
      resources: [
        namespaced('prod', 'same', { selector: 'all()', ingress: [allow] }),
        namespaced('test', 'same', { selector: 'all()', ingress: [deny] }),
      ],
      allowed: ['client > web tcp 80'],
      denied: ['client > db tcp 80'],
    },
  ],
}
