using System.Net;
using System.Net.Sockets;
using System.Text;

namespace KafkaEventSourcing.Testing.Tests;

public sealed class TcpProxyTests : IAsyncDisposable
{
    private readonly TcpListener _server = new(IPAddress.Loopback, 0);
    private readonly TcpProxy _proxy = new(TimeProvider.System, first => first.Length < 1 ? null : ((char)first[0]).ToString());

    public TcpProxyTests()
    {
        _server.Start();
        _proxy.Target = (IPEndPoint)_server.LocalEndpoint;
    }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask DisposeAsync()
    {
        await _proxy.DisposeAsync();
        _server.Dispose();
    }

    [Fact]
    public async Task Bytes_pass_in_both_directions()
    {
        (TcpClient client, TcpClient server) = await Connect("a hello");
        (await Read(server, 7)).ShouldBe("a hello");
        await Write(server, "and you");
        (await Read(client, 7)).ShouldBe("and you");
        server.Dispose();
        (await EndOf(client)).ShouldBeTrue();
    }

    [Fact]
    public async Task Cut_resets_the_connections_of_one_name_and_new_ones_until_it_is_mended()
    {
        (TcpClient a, TcpClient ofA) = await Connect("a");
        (TcpClient b, TcpClient ofB) = await Connect("b");
        await Read(ofA, 1);
        await Read(ofB, 1);
        _proxy.Line("a").Cut();
        (await EndOf(a)).ShouldBeTrue();
        (await EndOf(ofA)).ShouldBeTrue();
        await Write(b, "still");
        (await Read(ofB, 5)).ShouldBe("still");

        using var refused = new TcpClient();
        await refused.ConnectAsync(IPAddress.Loopback, _proxy.Port, Cancellation);
        await Write(refused, "a");
        (await EndOf(refused)).ShouldBeTrue();

        _proxy.Line("a").Mend();
        (TcpClient _, TcpClient again) = await Connect("a");
        (await Read(again, 1)).ShouldBe("a");
    }

    [Fact]
    public async Task Stalled_bytes_arrive_when_it_is_mended()
    {
        (TcpClient client, TcpClient server) = await Connect("a");
        await Read(server, 1);
        _proxy.Line("a").Stall();
        await Write(client, "late");
        Task<string> reading = Read(server, 4);
        (TcpClient _, TcpClient other) = await Connect("b"); // whatever would have come has had its time
        await Read(other, 1);
        reading.IsCompleted.ShouldBeFalse();
        _proxy.Line("a").Mend();
        (await reading).ShouldBe("late");
    }

    [Fact]
    public async Task Delayed_bytes_come_later_by_the_delay()
    {
        (TcpClient client, TcpClient server) = await Connect("a");
        await Read(server, 1);
        var delay = TimeSpan.FromMilliseconds(80);
        _proxy.Line("a").Delay(delay);
        long started = TimeProvider.System.GetTimestamp();
        await Write(client, "slow");
        (await Read(server, 4)).ShouldBe("slow");
        TimeProvider.System.GetElapsedTime(started).ShouldBeGreaterThan(delay - TimeSpan.FromMilliseconds(5));
    }

    [Fact]
    public async Task Without_a_server_behind_it_connections_end()
    {
        _server.Stop();
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, _proxy.Port, Cancellation);
        await Write(client, "a");
        (await EndOf(client)).ShouldBeTrue();
    }

    private async Task<(TcpClient Client, TcpClient Server)> Connect(string first)
    {
        var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, _proxy.Port, Cancellation);
        await Write(client, first);
        return (client, await _server.AcceptTcpClientAsync(Cancellation));
    }

    private static async Task Write(TcpClient client, string text) =>
        await client.GetStream().WriteAsync(Encoding.UTF8.GetBytes(text), Cancellation);

    private static async Task<string> Read(TcpClient client, int length)
    {
        byte[] bytes = new byte[length];
        await client.GetStream().ReadExactlyAsync(bytes, Cancellation);
        return Encoding.UTF8.GetString(bytes);
    }

    private static async Task<bool> EndOf(TcpClient client)
    {
        try
        {
            return await client.GetStream().ReadAsync(new byte[1], Cancellation) == 0;
        }
        catch (IOException reset) when (reset.InnerException is SocketException)
        {
            return true;
        }
    }
}
