/** /proc/PID/mountinfo (proc_pid_mountinfo(5)): which mounts there are. Pure text. */

/** Mount points at or below `folder`, in the order they were mounted, each once. */
export function mountsBelow(mountinfo: string, folder: string): string[] {
  const found = new Set<string>();
  for (const line of mountinfo.split('\n')) {
    const field = line.split(' ', 5)[4];
    if (field === undefined) continue;
    const path = unescapeOctal(field);
    if (path === folder || path.startsWith(`${folder}/`)) found.add(path);
  }
  return [...found];
}

/** Blank, tab, line break and backslash are written as \040, \011, \012 and \134. */
function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_whole, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}
