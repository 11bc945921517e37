declare module "virtual:basemap" {
  /** Address of the reduced base map, a `BaseMapData` in JSON. */
  const address: string;
  export default address;
}

declare module "*.css";
