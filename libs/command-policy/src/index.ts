export { COMMAND_POLICY, createCommandPolicy, describePolicy, type CommandPolicy, type UnlistedPrograms } from './command-policy';
export { chooseShell, SHELLS, type AgentShell, type ShellChoice, type WantedShell } from './shell-choice';
