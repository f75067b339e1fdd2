/** What `drover install cni` puts on a node. */
export { type Installed, type InstallOptions, installCni, uninstallCni } from './install.ts'
export { type ExecutableKind, type Paths, defaultConfiguration } from './files.ts'
