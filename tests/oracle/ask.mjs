// Asks iam-simulate: a simulation a line on standard input, an answer a line on standard output, in the same order.
//
//   node ask.mjs FOLDER            each line is decided once
//   node ask.mjs FOLDER --time N   all lines are decided N times; one more line tells the nanoseconds that took
import { createInterface } from 'node:readline'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const [folder, flag, rounds] = process.argv.slice(2)
const at = join(folder, 'node_modules/@cloud-copilot/iam-simulate/dist/esm/index.js')
const { runSimulation } = await import(pathToFileURL(at))

const answers = []
const simulations = []
const flush = async () => {
  const text = answers.splice(0).join('')
  if (!process.stdout.write(text)) await new Promise((done) => process.stdout.once('drain', done))
}

for await (const line of createInterface({ input: process.stdin })) {
  const simulation = JSON.parse(line)
  if (flag) simulations.push(simulation)
  let answer
  try {
    const result = await runSimulation(simulation, {})
    answer =
      result.resultType === 'error'
        ? { error: JSON.stringify(result.errors) }
        : { result: result.overallResult, ignored: result.result?.ignoredContextKeys ?? [] }
  } catch (error) {
    answer = { error: `${error.stack ?? error}` }
  }
  answers.push(JSON.stringify(answer) + '\n')
  if (answers.length >= 200) await flush()
}
await flush()

if (flag === '--time') {
  const begin = process.hrtime.bigint()
  for (let round = 0; round < Number(rounds); round++) {
    for (const simulation of simulations) await runSimulation(simulation, {})
  }
  console.log(JSON.stringify({ nanoseconds: Number(process.hrtime.bigint() - begin) }))
}
