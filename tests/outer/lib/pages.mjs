// What the documentation pages of the services tell their users to type, as the requests that it makes. In `{...}` stand
// what a user fills in: {token}, {id} of the last pin, {created} of it, {cid} of the user's. CIDs that a page spells out
// are kept. All pages were read from copies, on 2026-11-21 at the latest; the newest copy counts.

const bearer = 'Authorization: Bearer {token}'
const json = 'Content-Type: application/json'
const any = 'Accept: */*'

// One `curl` line. `finds`: whether a list shows the last pin.
const adds = (path, headers, body) => ({ does: 'adds', method: 'POST', path, headers, body })
const replaces = (path, headers, body) => ({ does: 'replaces', method: 'POST', path, headers, body })
const removes = (path, headers) => ({ does: 'removes', method: 'DELETE', path, headers })
const shows = (path, headers) => ({ does: 'shows', path, headers })
const lists = (path, headers, { finds = true, method } = {}) => ({ does: 'lists', path, headers, finds, method })

// One `ipfs pin remote` line.
const service = (endpoint) => ({ does: 'ipfs service add', endpoint })
const pin = (cid, name) => ({ does: 'ipfs add', cid, name })
const ls = ({ finds = true, ...query } = {}) => ({ does: 'ipfs ls', query, finds })
const rm = (query, gone = 1) => ({ does: 'ipfs rm', query, gone })

const README = 'QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG'
const NOVEL = 'bafybeib32tuqzs2wrc52rdt56cz73sqe3qu2deqdudssspnu4gbezmhig4'
const PENDING = 'queued,pinning,failed'
const CAR = 'a CAR file is for the service itself: Pinfold takes CIDs only'
const SESSION = 'a session is what Pinfold gets for itself, from login: in the provider\'s entry'

export const PAGES = [
  {
    preset: '4everland',
    base: 'https://api.4everland.dev',
    // docs.4everland.org/storage/4ever-pin/pinning-services-api gives the endpoint, the header and how to fill in IPFS
    // Desktop; the ipfs lines are those that others give for it.
    lines: [
      lists('/pins', [bearer], { finds: false }),
      service('https://api.4everland.dev'),
      pin('{cid}', 'archive-2026'),
      ls(),
      lists('/pins', [bearer]),
      rm({ cid: '{cid}' })
    ]
  },
  {
    preset: 'fula',
    base: 'https://api.cloud.fx.land',
    // docs.fx.land/pinning-service/pinning-api: index, authentication, endpoints, filtering, examples; and
    // functionland/docs: docs/pinning-service/ipfs-pinning-service-api.md
    lines: [
      adds('/pins', [bearer, json], { cid: README, name: 'my-file' }),
      shows('/pins/{id}', [bearer]),
      lists('/pins?status=queued,pinning,pinned,failed', [bearer]),
      removes('/pins/{id}', [bearer]),
      adds('/pins', [bearer, json], {
        cid: README, name: 'my-website', origins: ['/ip4/192.168.1.1/tcp/4001/p2p/QmPeerId'], meta: { app_id: 'my-app', version: '1.0' }
      }),
      lists('/pins', [bearer]),
      lists(`/pins?cid=${README}`, [bearer]),
      lists(`/pins?cid={cid},${README},{cid}`, [bearer]),
      lists('/pins?name=my-website', [bearer]),
      lists('/pins?name=website&match=ipartial', [bearer]),
      lists('/pins?name=website&match=iexact', [bearer], { finds: false }),
      lists('/pins?name=backup&match=ipartial', [bearer], { finds: false }),
      lists('/pins?status=pinned', [bearer]),
      lists('/pins?status=queued,pinning', [bearer], { finds: false }),
      lists('/pins?meta=%7B%22app_id%22%3A%22my-app%22%7D', [bearer]),
      lists('/pins?before=2024-01-15T00:00:00.000Z', [bearer], { finds: false }),
      lists('/pins?after=2024-01-01T00:00:00.000Z', [bearer]),
      lists('/pins?after=2024-01-01T00:00:00.000Z&before=2024-01-31T23:59:59.999Z', [bearer], { finds: false }),
      lists('/pins?limit=50', [bearer]),
      lists('/pins?limit=20', [bearer]),
      lists('/pins?limit=20&before={created}', [bearer], { finds: false }),
      lists('/pins?before=2024-01-10T00:00:00.000Z&limit=20', [bearer], { finds: false }),
      lists('/pins?status=pinned&name=website&match=ipartial&after=2024-01-01T00:00:00.000Z&limit=50', [bearer]),
      replaces('/pins/{id}', [bearer, json], { cid: '{cid}', name: 'my-website-v2' }),
      removes('/pins/{id}', [bearer]),
      // Its code in JavaScript sends the content type always, and null for no name.
      adds('/pins', [bearer, json], { cid: README, name: null, meta: {} }),
      lists('/pins?status=pinned&limit=50', [bearer, json]),
      removes('/pins/{id}', [bearer, json]),
      { does: 'refused', why: SESSION, method: 'POST', path: '/auth/token', headers: [json], body: { username: 'you@example.com', password: 'your-password' } },
      { does: 'refused', why: CAR, method: 'POST', path: '/pins/import/car', headers: [bearer], form: ['file=data', 'name=my-dataset'] },
      service('https://api.cloud.fx.land'),
      pin('{cid}'),
      rm({ cid: '{cid}' }),
      pin('{cid}', 'my-file'),
      ls(),
      ls({ status: 'pinned' }),
      ls({ cid: '{cid}' }),
      rm({ status: 'failed', force: true }, 0),
      rm({ cid: '{cid}' }),
      pin(NOVEL, 'war-and-peace.txt'),
      ls({ status: PENDING, finds: false })
    ]
  },
  {
    preset: 'w3ipfs',
    base: 'https://api.w3ipfs.storage/api/psa/',
    // w3ipfs.storage/docs/w3ipfs-api/pinning-services-api, and its older form with the password
    login: { path: '/api/auth/login', headers: [json], body: { email: '{user}', password: '{password}' }, tokens: ['access_token', 'refresh_token'] },
    lines: [
      service('https://api.w3ipfs.storage/api/psa/'),
      pin('{cid}', 'human-readable-name'),
      ls(),
      ls({ status: PENDING, finds: false })
    ]
  },
  {
    preset: 'nft.storage',
    base: 'https://api.nft.storage',
    // nft.storage/docs/how-to/pinning-service
    lines: [
      adds('/pins', [any, bearer, json], { cid: '{cid}', name: 'PreciousData.pdf' }),
      lists('/pins', [any, bearer], { method: 'GET' }),
      removes('/pins/{id}', [any, bearer]),
      service('https://api.nft.storage/'),
      pin('{cid}', 'PIN-NAME'),
      ls(),
      rm({ cid: '{cid}' })
    ]
  },
  {
    preset: 'web3.storage',
    base: 'https://api.web3.storage',
    // web3.storage/docs/how-tos/pinning-services-api; its DELETE named the host of its staging
    lines: [
      adds('/pins', [any, bearer, json], { cid: '{cid}', name: 'PreciousData.pdf' }),
      lists('/pins', [any, bearer], { method: 'GET' }),
      removes('/pins/{id}', [any, bearer]),
      service('https://api.web3.storage/'),
      pin('{cid}', 'PIN_NAME'),
      ls(),
      rm({ cid: '{cid}' })
    ]
  },
  {
    preset: 'pinata',
    base: 'https://api.pinata.cloud/psa',
    // docs.pinata.cloud/api-reference/pinning-service-api
    lines: [
      service('https://api.pinata.cloud/psa'),
      pin(NOVEL, 'war-and-peace.txt'),
      ls(),
      ls({ status: PENDING, finds: false })
    ]
  },
  {
    preset: 'filebase',
    base: 'https://api.filebase.io/v1/ipfs',
    // filebase.com/docs/legacy/ipfs/pinning-service-api, and the page on the IPFS CLI
    lines: [
      lists('/pins', [bearer], { finds: false }),
      adds('/pins', [bearer, json], { cid: '{cid}', name: 'my-pin', meta: { project: 'demo' } }),
      shows('/pins/{id}', [bearer]),
      replaces('/pins/{id}', [bearer, json], { cid: '{cid}', name: 'my-pin' }),
      removes('/pins/{id}', [bearer]),
      service('https://api.filebase.io/v1/ipfs'),
      pin('QmSp5z5RAgDhS38w7TmLMfyDXvY9i2hF6sJ4qm62SK5939', 'test.png'),
      pin('{cid}', 'my-pin'),
      ls(),
      ls({ status: PENDING, finds: false }),
      rm({ cid: '{cid}' })
    ]
  },
  {
    preset: 'crust',
    base: 'https://pin.crustcode.com/psa',
    // wiki.crust.network: IPFS W3Auth pinning service, and its repository's README
    token: 'c3ViLTVDaHU1cjVHQTQxeEZnTVhMUWQ2Q0RqejFBQkdFR1ZHUzI3NnhqdjkzQXBZNnZEN3NpZ25lZA==',
    lines: [
      service('https://pin.crustcode.com/psa'),
      pin('{cid}'),
      ls({ cid: '{cid}' })
    ]
  },
  {
    preset: 'ipfs-cluster',
    base: 'http://clusterip:9097',
    // ipfscluster.io/documentation/reference/pinsvc_api: how to get the token, and to use it as any other
    login: { path: '/token', basic: true, tokens: ['token'] },
    lines: [
      lists('/pins', [bearer], { finds: false }),
      service('http://clusterip:9097'),
      pin('{cid}', 'a name'),
      ls(),
      rm({ cid: '{cid}' })
    ]
  }
]
