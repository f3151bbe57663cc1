import type { Express } from 'express';

interface RouteLayer {
  route?: { methods: Record<string, boolean> };
  match(path: string): boolean;
}

/**
 * Returns the methods that handlers take at this path, in capitals. It is empty if the path has no
 * handler.
 */
export function allowedMethods(app: Express, path: string): string[] {
  const methods = new Set<string>();
  for (const layer of app.router.stack as unknown as RouteLayer[]) {
    if (layer.route && !isMiddleware(layer.route.methods) && matches(layer, path)) {
      for (const method of Object.keys(layer.route.methods)) methods.add(method.toUpperCase());
    }
  }
  if (methods.has('GET')) methods.add('HEAD');
  return [...methods].sort();
}

/** Nest registers middleware as a route for every method. */
function isMiddleware(methods: Record<string, boolean>): boolean {
  return methods.trace === true;
}

function matches(layer: RouteLayer, path: string): boolean {
  try {
    return layer.match(path);
  } catch {
    // The path has a parameter that cannot be decoded.
    return false;
  }
}
