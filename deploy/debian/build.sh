#!/bin/sh
# Makes build/monotron_VERSION_ARCHITECTURE.deb for this Debian or Ubuntu, with what its Python needs inside.
# PIP names the pip that fills it. `make deb` calls this.
set -eu
cd "$(dirname "$0")/../.."
umask 022

python=/usr/bin/python3
here=deploy/debian
root=build/deb
home=$root/opt/monotron
version=$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' monotron/__init__.py)
architecture=$(dpkg --print-architecture)

rm -rf "$root"
mkdir -p "$root/DEBIAN"

# Compiled parts are for one minor version of Python.
$python -m venv --without-pip "$home"
"${PIP:-pip}" --python "$home/bin/python" install --quiet --no-compile --constraint constraints.txt '.[etcd]'
# What names the folder that it was built in would not work.
find "$home/bin" -type f ! -name monotron -delete
find "$home/lib" -name direct_url.json -delete
sed -i '/^command/d' "$home/pyvenv.cfg"
sed -i '1s|.*|#!/opt/monotron/bin/python|' "$home/bin/monotron"
# Hashes that nobody checks keep the bytecode valid, whatever happens to the files' times.
$python -m compileall -q -j 0 --invalidation-mode unchecked-hash -s "$root" -p / "$home/lib"

install -Dm 644 docs/settings.md "$home/share/settings.md"
install -Dm 644 deploy/systemd/monotron.service "$root/usr/lib/systemd/system/monotron.service"
install -Dm 644 deploy/systemd/authentication.conf "$root/usr/share/doc/monotron/examples/authentication.conf"
install -Dm 644 LICENSE "$root/usr/share/doc/monotron/copyright"
install -Dm 644 "$here/monotron.default" "$root/etc/default/monotron"
gzip -9nc CHANGELOG.md >"$root/usr/share/doc/monotron/changelog.gz"
install -d "$root/usr/bin"
ln -s /opt/monotron/bin/monotron "$root/usr/bin/monotron"

depends=$($python -c 'import sys; a, b = sys.version_info[:2]; print(f"python3 (>= {a}.{b}), python3 (<< {a}.{b + 1})")')
sed "s/VERSION/$version/; s/ARCHITECTURE/$architecture/; s/PYTHON/$depends/" "$here/control" >"$root/DEBIAN/control"
echo /etc/default/monotron >"$root/DEBIAN/conffiles"
for script in postinst prerm postrm; do
    install -m 755 "$here/$script" "$root/DEBIAN/$script"
done

# Two thirds of the time of the default, for a sixth more bytes.
dpkg-deb -z1 --root-owner-group --build "$root" "build/monotron_${version}_$architecture.deb"
