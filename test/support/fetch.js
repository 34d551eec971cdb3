/** Fetches a URL and prints the body; gives up after two seconds. `node fetch.js URL` */
const response = await fetch(process.argv[2], { signal: AbortSignal.timeout(2000) }).catch((error) => {
  process.stderr.write(`${error.cause?.code ?? error.name}\n`);
  process.exit(1);
});
process.stdout.write(await response.text());
