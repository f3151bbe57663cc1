f=open(0,'rb',0,closefd=False);n=int(f.readline());s=bytearray();[s.extend(c)for c in iter(lambda:f.read(n-len(s)),b'')];exec(bytes(s))
