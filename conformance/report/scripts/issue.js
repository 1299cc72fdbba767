// An issue text in Markdown, for the maintainers of a framework.

import { exact, number } from "./numbers.js";

/** What one would write to them: what was expected and found, and a script that shows it. */
export function issueText(run, details, name, index, tensors, reproduction) {
  const { outcomes, adapters, phases, dialects, messages } = run;
  const adapter = adapters[outcomes.adapter[index]];
  const verdict = run.verdict(index).name;
  const dialect = dialects[outcomes.dialect[index]];
  const operation = run.operation(run.caseIndex.get(name)).name;
  const source = document.querySelector(`section[data-operation="${CSS.escape(operation)}"] figcaption a`)?.href;
  const worst = tensors.find((each) => each.verdict !== "conforms") ?? tensors[0];
  return [
    `## ${operation}: ${adapter} ${verdict === "dialect" ? `computes ${dialect}` : verdict} in ${phases[outcomes.phase[index]]}`,
    `Versions: ${run.versions[adapter] ?? "unknown"}`,
    `The published formula (${source ?? "source unknown"}):`,
    fenced(details.latex, "math"),
    `Found: **${verdict}**${dialect ? ` (${dialect})` : ""}. ${messages[outcomes.message[index]]}`.trim(),
    worst?.elements.length && numbers(worst),
    `To reproduce:\n\n${fenced(reproduction, reproduction.includes("\n") ? "python" : "console")}`,
  ].filter(Boolean).join("\n\n") + "\n";
}

function numbers(tensor) {
  return [
    `Tensor \`${tensor.name}\`, ${tensor.dtype}${tensor.step ? `, step ${tensor.step}` : ""}, measured from ${tensor.held_to || "the published formula"}:`,
    "",
    "| index | expected | actual | difference | rounding error of the formula |",
    "|---|---|---|---|---|",
    ...tensor.elements.map(({ index, expected, actual, difference, bound }) =>
      `| [${index.join(", ")}] | ${exact(expected, tensor.dtype)} | ${exact(actual, tensor.dtype)} | ${number(difference)} | ${number(bound)} |`),
  ].join("\n");
}

/** A block of code, with a fence that is longer than any inside. */
function fenced(text, language) {
  const longest = Math.max(2, ...(text.match(/`+/g) ?? []).map((run) => run.length));
  const fence = "`".repeat(longest + 1);
  return `${fence}${language}\n${text.trimEnd()}\n${fence}`;
}
