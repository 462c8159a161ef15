import time
async def test_a(shared):
    t=time.time()
    await shared.push(10); print("push", time.time()-t); t=time.time()
    r=await shared.receive(); print("recv", len(r), time.time()-t); t=time.time()
    await shared.audit(); print("audit", time.time()-t)
