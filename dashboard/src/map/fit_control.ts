import type { IControl } from 'maplibre-gl';
import { t } from '../text/text';

/** A button that shows the whole city again. */
export class FitControl implements IControl {
  private readonly box = document.createElement('div');

  constructor(private readonly onFit: () => void) {}

  onAdd(): HTMLElement {
    const button = document.createElement('button');
    button.type = 'button';
    button.className = 'map-fit';
    button.title = t('map.fit');
    button.setAttribute('aria-label', t('map.fit'));
    button.addEventListener('click', this.onFit);
    this.box.className = 'maplibregl-ctrl maplibregl-ctrl-group';
    this.box.append(button);
    return this.box;
  }

  onRemove(): void {
    this.box.replaceChildren();
    this.box.remove();
  }
}
