/**
 * The one script behind the names of Pacemaker's helper programs (`pacemaker_shim.ts`). Pure.
 *
 * It knows the options that Debian's agents use, takes values apart or attached (`-v 5`, `--update=5`), and ends with 105
 * («no such object») where Pacemaker would: agents tell a missing attribute from an empty one by it. A node keeps
 * one note per name whatever its lifetime: our node removes what must not survive a reboot.
 */
export const SHIM_SCRIPT = `#!/bin/sh
here=$(cd "$(dirname "$0")" && pwd)
me=$(basename "$0")
self=$(cat "$here/node")
node=$self name= value= action= quiet= fallback= cluster=

case $me in
  crm_mon) cat "$here/crm_mon.xml"; exit 0 ;;
  cibadmin) echo '<cib/>'; exit 0 ;;
  pacemakerd) echo 'Pacemaker 2.1.5'; exit 0 ;;
  crm_node)
    case $1 in
      -n|--name) echo "$self" ;;
      -q|--quorum) echo 1 ;;
      -l|--list|-p|--partition) sed -n 's/^    <node name="\\([^"]*\\)".*/\\1/p' "$here/crm_mon.xml" ;;
      *) echo "crm_node: $1 is not answered here" >&2; exit 64 ;;
    esac
    exit 0 ;;
  crm_master) name=master-\${OCF_RESOURCE_INSTANCE:-unknown} ;;
esac

while [ $# -gt 0 ]; do
  key=$1; shift
  case $key in
    --*=*) given=\${key#*=}; key=\${key%%=*}; attached=1 ;;
    *) given=\${1-}; attached= ;;
  esac
  takes=1
  case $me:$key in
    *:-n|*:--name|*:--attr-name) name=$given ;;
    *:-N|*:--node|*:--uname|crm_attribute:-U) node=$given ;;
    *:-v|*:--update|*:--attr-value|attrd_updater:-U|attrd_updater:-B|attrd_updater:--update-both) action=update; value=$given ;;
    *:-d|*:--default) fallback=$given ;;
    *:-t|*:--type) [ "$given" != crm_config ] || cluster=1 ;;
    crm_master:-r|crm_master:--resource) name=master-$given ;;
    *:-l|*:--lifetime|*:-s|*:--set-name|*:-i|*:--id|*:--delay) ;;
    crm_attribute:-p|crm_attribute:--promotion)
      name=master-\${OCF_RESOURCE_INSTANCE:-unknown}
      [ -z "$attached" ] || name=master-$given
      takes= ;;
    crm_attribute:-p*) name=master-\${key#-p}; takes= ;;
    *:-G|*:--query|attrd_updater:-Q) action=query; takes= ;;
    *:-D|*:--delete) action=delete; takes= ;;
    *:-q|*:-Q|*:--quiet) quiet=1; takes= ;;
    *:-p|*:--private|*:-V|*:--verbose) takes= ;;
    *) echo "$me: the option $key is not answered here" >&2; exit 64 ;;
  esac
  if [ -n "$takes" ] && [ -z "$attached" ]; then
    [ $# -gt 0 ] || { echo "$me: $key needs a value" >&2; exit 64; }
    shift
  fi
done

[ -z "$cluster" ] || node=cluster
case $node@$name in
  */*|.*|*@*@*|*@) echo "$me: cannot note '$name' of '$node'" >&2; exit 64 ;;
esac
file=$here/notes/$node@$name
case $action in
  update)
    printf '%s\\n' "$value" > "$here/notes/.$$.new" && mv "$here/notes/.$$.new" "$file" || exit 1 ;;
  delete) rm -f "$file" ;;
  *)
    if [ -f "$file" ]; then value=$(cat "$file")
    elif [ -n "$fallback" ]; then value=$fallback
    else echo "$me: no such attribute: $name" >&2; exit 105; fi
    if [ "$me" = attrd_updater ]; then printf 'name="%s" host="%s" value="%s"\\n' "$name" "$node" "$value"
    elif [ -n "$quiet" ]; then printf '%s\\n' "$value"
    else printf 'scope=status  name=%s value=%s\\n' "$name" "$value"; fi ;;
esac
exit 0
`;
