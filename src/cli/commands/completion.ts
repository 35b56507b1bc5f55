import { defineCommand, type Command } from '../command.ts';
import { COMMANDS } from '../commands.ts';

export const completion = defineCommand({
  name: 'completion',
  summary: 'print what makes bash complete command lines of nsdir',
  usage: '',
  details: ['In ~/.bashrc: eval "$(nsdir completion)". Commands, options, and names of containers are completed.'],
  options: {},
  words: [0, 0],
  async run() {
    const shown = COMMANDS.filter(({ summary }) => summary !== undefined);
    const rows = await Promise.all(shown.map(async (row) => caseOf(row.name, await row.load())));
    process.stdout.write(script(shown.map(({ name }) => name).join(' '), rows.join('\n')));
    return 0;
  },
});

/** What `$options` and `$words` are for a command: options, those that take an argument, and kinds of words. */
function caseOf(name: string, { options, usage }: Command): string {
  const all = Object.entries(options);
  const spelled = (rows: typeof all) =>
    rows.flatMap(([long, { short }]) => [`--${long}`, ...(short ? [`-${short}`] : [])]);
  const taking = (kinds: RegExp) => spelled(all.filter(([, { argument = '' }]) => kinds.test(argument))).join(' ');
  const words = /NAME/.test(usage) ? 'containers' : '';
  const files = /\b(?:DIR|FILE)\b/.test(usage.replaceAll('DIR | NAME', 'NAME')) ? 'files' : '';
  return (
    `    ${name}) options='${spelled(all).join(' ')}' paths='${taking(/^(?:DIR|FILE)$/)}' ` +
    `others='${taking(/^(?!DIR$|FILE$)./)}' words='${[words, files].filter(Boolean).join(' ')}' ;;`
  );
}

/** bash(1), "Programmable Completion". A command behind `--` is completed as it would be by itself. */
function script(commands: string, rows: string): string {
  return `# Made by nsdir completion.
_nsdir() {
  local word=\${COMP_WORDS[COMP_CWORD]} former=\${COMP_WORDS[COMP_CWORD - 1]} command=\${COMP_WORDS[1]} at
  local tree=\${NSDIR_MOUNT:-/namespaces} options= paths= others= words=
  COMPREPLY=()
  if ((COMP_CWORD == 1)); then
    mapfile -t COMPREPLY < <(compgen -W '${commands} --help --version' -- "$word")
    return
  fi
  for ((at = 2; at < COMP_CWORD; at++)); do
    [[ \${COMP_WORDS[at]} == --mount ]] && tree=\${COMP_WORDS[at + 1]}
    if [[ \${COMP_WORDS[at]} == -- ]]; then
      if declare -F _command_offset > /dev/null; then
        _command_offset $((at + 1))
      elif ((at + 1 == COMP_CWORD)); then
        mapfile -t COMPREPLY < <(compgen -c -- "$word")
      else
        compopt -o filenames
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
      fi
      return
    fi
  done
  case $command in
${rows}
  esac
  if [[ " $paths " == *" $former "* ]]; then
    compopt -o filenames
    mapfile -t COMPREPLY < <(compgen -f -- "$word")
  elif [[ " $others " == *" $former "* ]]; then
    return
  elif [[ $word == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
  else
    compopt -o filenames
    [[ $words == *containers* ]] && mapfile -t COMPREPLY < <(cd -- "$tree" 2> /dev/null && compgen -d -- "$word")
    [[ $words == *files* ]] && mapfile -t -O \${#COMPREPLY[@]} COMPREPLY < <(compgen -f -- "$word")
  fi
  return 0
}
complete -F _nsdir nsdir
`;
}
