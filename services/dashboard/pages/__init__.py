"""The console's pages, one module a page. Each reads the read tables (and services' APIs), and renders a template."""
