/** Which rows of the decision tables fired, and how often, as the events of the nodes tell it. */

export class Coverage {
  readonly #counts = new Map<string, number>();

  happened(kind: string, fields: Readonly<Record<string, unknown>>): void {
    this.#count(`event ${kind}`);
    switch (kind) {
      case "rejoin_judged":
        return this.#count(`rejoin ${String(fields["rule"])}`);
      case "promotion_began":
        return this.#count(`candidate ${String(fields["row"])}`);
      case "source_lost":
      case "suspecting":
        return this.#count(`lost ${String(fields["row"] ?? fields["cause"])}`);
      case "leg_changed":
        return this.#count(`leg ${String(fields["state"])}`);
      default:
        return;
    }
  }

  counts(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#counts);
  }

  #count(row: string): void {
    this.#counts.set(row, (this.#counts.get(row) ?? 0) + 1);
  }
}
