/** The small box beside the pointer that names the road under it. */
export class Tooltip {
  private readonly box = document.createElement('div');

  constructor(private readonly container: HTMLElement) {
    this.box.className = 'map-tooltip';
    this.box.hidden = true;
    // What it says is also in the roads list, which is the screen reader's way in.
    this.box.setAttribute('aria-hidden', 'true');
    container.append(this.box);
  }

  /** Shows lines of text at a point of the container, in pixels. */
  show(x: number, y: number, lines: readonly string[]): void {
    this.box.replaceChildren(
      ...lines.map((text) => {
        const line = document.createElement('div');
        line.textContent = text;
        return line;
      }),
    );
    this.box.hidden = false;
    const left = Math.min(x + 14, this.container.clientWidth - this.box.offsetWidth - 8);
    const top = Math.min(y + 14, this.container.clientHeight - this.box.offsetHeight - 8);
    this.box.style.transform = `translate(${Math.max(8, left)}px, ${Math.max(8, top)}px)`;
  }

  hide(): void {
    this.box.hidden = true;
  }

  remove(): void {
    this.box.remove();
  }
}
